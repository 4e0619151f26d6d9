import json

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import connection, transaction
from django.http import JsonResponse
from django.shortcuts import render
from rest_framework.decorators import api_view
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response


def page(request):
    return render(request, "chat.html", {"port": settings.USHERD_PORT})


@api_view(["POST"])
def session(request):
    """A key for the WebSocket's URL that expires, since URLs leak."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_key, expires_at, reason"
                       " FROM usher.issue_session(%s)", [request.auth.key])
        key, expires_at, reason = cursor.fetchone()
    if key is None:
        raise PermissionDenied(reason)
    return Response({"session_key": key, "expires_at": expires_at})


@login_required
def short_session(request):
    """The key of the visitor's own Django session, good for two minutes."""
    request.session.set_expiry(120)
    return JsonResponse({"session_key": request.session.session_key})


@api_view(["POST"])
def say(request):
    """Tell app_1 something: it arrives when the transaction commits."""
    message = {"from": request.user.username,
               "text": request.data.get("text", "")}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT usher.broadcast(%s, %s)",
                       ["app_1", json.dumps(message)])
    return Response(message)
