from django.contrib import admin
from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework_simplejwt import views as jwt

from chat import views

urlpatterns = [
    path("", views.page),
    path("api/token/", obtain_auth_token),
    path("api/jwt/", jwt.TokenObtainPairView.as_view()),
    path("api/jwt/refresh/", jwt.TokenRefreshView.as_view()),
    path("api/jwt/sliding/", jwt.TokenObtainSlidingView.as_view()),
    path("api/jwt/blacklist/", jwt.TokenBlacklistView.as_view()),
    path("api/session/", views.session),
    path("api/short-session/", views.short_session),
    path("api/say/", views.say),
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
]
