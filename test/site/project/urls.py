from django.contrib import admin
from django.urls import path
from rest_framework.authtoken.views import obtain_auth_token

from chat import views

urlpatterns = [
    path("", views.page),
    path("api/token/", obtain_auth_token),
    path("api/session/", views.session),
    path("api/say/", views.say),
    path("admin/", admin.site.urls),
]
