"""Usher as a Django developer meets it: nothing but Django's own means on one
side, and the socket on the other."""
import json

import pytest
from harness.client import Closed, Refused


@pytest.fixture
def client(usherd, token, group):
    with usherd.connect(group, token) as client:
        yield client


def broadcast(group, value):
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT usher.broadcast(%s, %s)",
                       [group, json.dumps(value)])


def test_the_token_of_rest_framework_opens_a_socket(client, sql, group):
    sql(f"SELECT usher.broadcast('{group}', '{{\"saved\": 7}}')")
    assert client.receive_json() == {"saved": 7}


def test_an_unknown_token_is_refused_with_401(usherd, group):
    with pytest.raises(Refused) as refused:
        usherd.connect(group, "0" * 40)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Token")


def test_a_session_key_of_the_view_opens_a_socket(site, usherd, token, group,
                                                  sql):
    answer = site.browser().post_json("/api/session/", {}, token)
    with usherd.connect(group, session_key=answer["session_key"]) as client:
        sql(f"SELECT usher.broadcast('{group}', '1')")
        assert client.receive() == "1"


def test_a_broadcast_in_atomic_arrives_when_it_commits(client, group):
    from django.db import transaction
    with transaction.atomic():
        broadcast(group, {"step": 1})
        client.receive_nothing(0.2)
        broadcast(group, {"step": 2})
    assert client.receive_json() == {"step": 1}
    assert client.receive_json() == {"step": 2}


def test_a_broadcast_in_atomic_never_arrives_when_it_rolls_back(client,
                                                                group):
    from django.db import transaction
    with pytest.raises(ZeroDivisionError):
        with transaction.atomic():
            broadcast(group, {"rolled": "back"})
            raise ZeroDivisionError
    # What is committed later would arrive after it.
    broadcast(group, {"committed": True})
    assert client.receive_json() == {"committed": True}


def test_a_savepoint_that_rolls_back_takes_its_broadcast_along(client, group):
    from django.db import transaction
    with transaction.atomic():
        broadcast(group, 1)
        with pytest.raises(ZeroDivisionError):
            with transaction.atomic():
                broadcast(group, 2)
                raise ZeroDivisionError
        broadcast(group, 3)
    assert [client.receive_json(), client.receive_json()] == [1, 3]


def test_a_view_that_broadcasts_reaches_the_group(site, usherd, user, token):
    with usherd.connect("app_1", token) as client:
        site.browser().post_json("/api/say/", {"text": "grüß dich"}, token)
        assert client.receive_json() == {"from": user.username,
                                         "text": "grüß dich"}


def test_a_message_of_one_client_reaches_the_other(usherd, group, make_token):
    with usherd.connect(group, make_token()) as sender, \
            usherd.connect(group, make_token()) as reader:
        sender.send("hello")
        assert reader.receive() == "hello"
        assert sender.receive() == "hello"


def test_a_user_joins_only_his_own_group(usherd, user, token):
    with usherd.connect(f"user_{user.pk}", token):
        pass
    with pytest.raises(Refused) as refused:
        usherd.connect(f"user_{user.pk + 1}", token)
    assert refused.value.status == 403


# Each of these ends the user's sockets, whoever does it.

def deleted_by_the_orm(site, user, admin):
    user.auth_token.delete()


def deleted_by_a_queryset(site, user, admin):
    from rest_framework.authtoken.models import Token
    Token.objects.filter(user=user).delete()


def deleted_in_the_admin(site, user, admin):
    answer = admin.post_form(
        f"/admin/authtoken/tokenproxy/{user.pk}/delete/", {"post": "yes"})
    assert answer.status == 302, answer.body


def user_deleted_in_the_admin(site, user, admin):
    answer = admin.post_form(f"/admin/auth/user/{user.pk}/delete/",
                             {"post": "yes"})
    assert answer.status == 302, answer.body


def deactivated_in_the_admin(site, user, admin):
    answer = admin.post_form(
        f"/admin/auth/user/{user.pk}/change/",
        {"username": user.username, "date_joined_0": "2024-01-01",
         "date_joined_1": "00:00:00"})   # is_active is left out: off
    assert answer.status == 302, answer.body
    user.refresh_from_db()
    assert not user.is_active


def password_changed_in_django(site, user, admin):
    user.is_staff = True    # the log-in form at hand is the admin's
    user.save()
    answer = site.browser().log_in(user.username, user.username).post_form(
        "/admin/password_change/",
        {"old_password": user.username, "new_password1": "4 horses' staple",
         "new_password2": "4 horses' staple"})
    assert answer.status == 302, answer.body


@pytest.mark.parametrize("revoke", [
    deleted_by_the_orm, deleted_by_a_queryset, deleted_in_the_admin,
    user_deleted_in_the_admin, deactivated_in_the_admin,
    password_changed_in_django], ids=lambda revoke: revoke.__name__)
def test_sockets_are_closed_4410_when_the_credential_is(
        revoke, site, usherd, user, token, admin, group, make_token):
    key = site.browser().post_json("/api/session/", {}, token)["session_key"]
    with usherd.connect(group, token) as by_token, \
            usherd.connect(group, session_key=key) as by_key, \
            usherd.connect(group, make_token()) as other:
        revoke(site, user, admin)
        assert by_token.wait_close().code == 4410
        assert by_key.wait_close().code == 4410
        other.ping()    # nobody else is touched
        with pytest.raises(Refused) as refused:
            usherd.connect(group, session_key=key)
        assert refused.value.status == 401


def test_a_log_in_leaves_sockets_open(site, usherd, make_user, group):
    """Django writes last_login then; the password stays."""
    user = make_user(is_staff=True)
    with usherd.connect(group, site.create_token(user).key) as client:
        site.browser().log_in(user.username, user.username)
        user.first_name = "Ann"
        user.save()
        client.ping()
        client.receive_nothing(0.2)


def test_a_deletion_that_rolls_back_leaves_the_socket_open(client, user):
    from django.db import transaction
    with pytest.raises(ZeroDivisionError):
        with transaction.atomic():
            user.auth_token.delete()
            raise ZeroDivisionError
    client.receive_nothing(0.3)


def test_a_new_token_works_after_the_old_one_was_deleted(site, usherd, user,
                                                         token, group):
    from rest_framework.authtoken.models import Token
    with usherd.connect(group, token) as old:
        Token.objects.filter(user=user).delete()
        new = site.create_token(user).key
        with usherd.connect(group, new) as fresh:
            assert old.wait_close().code == 4410
            fresh.ping()
            with pytest.raises(Closed):
                old.receive()


def test_the_migration_goes_back_and_forth(cluster):
    """As superuser, since going back drops the extension."""
    from harness import Site
    site = Site(cluster, database="site_back")
    site.create()
    site.environment["SITE_DB_USER"] = "postgres"
    site.manage("migrate", "chat", "zero", "--verbosity=0")
    assert site.psql("SELECT count(*) FROM pg_extension"
                     " WHERE extname = 'usher'") == "0"
    assert site.psql("SELECT count(*) FROM pg_trigger"
                     " WHERE tgname LIKE 'usher%'") == "0"
    site.manage("migrate", "--verbosity=0")
    assert site.psql("SELECT string_agg(name, ' ' ORDER BY name)"
                     " FROM usher.category") == "app plain public user"
    site.stop()
    cluster.drop_database("site_back")
