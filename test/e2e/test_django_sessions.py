"""Django's own sessions: log-in views, cookies and rows are Django's, nothing
is imitated."""
import contextlib
import json
import time

import pytest
from harness.client import Closed, Refused


@pytest.fixture
def visitor(site, user):
    """A browser whose user came in through Django's log-in view."""
    return site.browser().sign_in(user.username, user.username)


def session_of(browser):
    return browser.cookies["sessionid"]


def store(key):
    """Django's own view of a session row."""
    from django.contrib.sessions.backends.db import SessionStore
    return SessionStore(key)


def expect_refused(usherd, group, key, reason, status=401, **kwargs):
    """As a browser is told: 101, the reason as a message, a close code."""
    with pytest.raises(Closed) as refused:
        with usherd.connect_by_cookie(group, key, **kwargs) as client:
            told = client.receive_json()
            assert (told["type"], told["reason"]) == ("error", reason)
            client.receive()
    assert refused.value.code == {401: 4401, 403: 4403}[status]
    assert refused.value.reason == reason


def test_the_cookie_of_djangos_log_in_view_opens_a_socket(
        visitor, usherd, group, sql, user):
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        sql(f"SELECT usher.broadcast('{group}', '7')")
        assert client.receive() == "7"
    assert f"as user {user.pk} ({user.username}) by django_session" \
        in usherd.log()


def test_logging_out_closes_the_socket_and_spends_the_cookie(
        visitor, usherd, group):
    key = session_of(visitor)
    with usherd.connect_by_cookie(group, key) as client:
        visitor.sign_out()
        assert client.wait_close() == (4410, "revoked")
    expect_refused(usherd, group, key, "no_row")


def test_logging_out_closes_that_session_and_no_other(
        visitor, usherd, group, site, user):
    elsewhere = site.browser().sign_in(user.username, user.username)
    with usherd.connect_by_cookie(group, session_of(visitor)) as here, \
            usherd.connect_by_cookie(group, session_of(elsewhere)) as there:
        visitor.sign_out()
        assert here.wait_close().code == 4410
        there.ping()


def test_a_changed_password_closes_every_session_and_the_new_cookie_opens(
        visitor, usherd, group, site, user):
    elsewhere = site.browser().sign_in(user.username, user.username)
    old = [session_of(visitor), session_of(elsewhere)]
    with usherd.connect_by_cookie(group, old[0]) as here, \
            usherd.connect_by_cookie(group, old[1]) as there:
        answer = visitor.post_form(
            "/accounts/password_change/",
            {"old_password": user.username,
             "new_password1": "4 horses' staple",
             "new_password2": "4 horses' staple"})
        assert answer.status == 302, answer.body
        assert here.wait_close() == (4410, "revoked")
        assert there.wait_close() == (4410, "revoked")
    # The view moved its own session to a new key; the other kept its row.
    expect_refused(usherd, group, old[0], "no_row")
    expect_refused(usherd, group, old[1], "bad_auth_hash")
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        client.ping()


def test_a_deactivated_user_loses_his_session_socket(
        visitor, usherd, group, user):
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        user.is_active = False
        user.save()
        assert client.wait_close() == (4410, "revoked")
    expect_refused(usherd, group, session_of(visitor), "inactive_user")


def test_a_socket_closes_4419_when_its_session_expires(visitor, usherd, group):
    session = store(session_of(visitor))
    session.set_expiry(2)
    session.save()
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        assert client.wait_close(5) == (4419, "expired")
    expect_refused_as_expired(usherd, group, session_of(visitor))


def test_a_session_that_ends_sooner_keeps_its_socket_until_then(
        visitor, usherd, group):
    """request.session.set_expiry() in a view, of a session that lives longer
    so far."""
    session = store(session_of(visitor))
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        session.set_expiry(2)
        session.save()
        client.ping()
        assert client.wait_close(5) == (4419, "expired")


def test_a_session_that_was_prolonged_keeps_its_socket(visitor, usherd, group,
                                                       sql):
    session = store(session_of(visitor))
    session.set_expiry(2)
    session.save()
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        session.set_expiry(4)
        session.save()
        time.sleep(2.5)
        sql(f"SELECT usher.broadcast('{group}', '\"still here\"')")
        assert client.receive_json() == "still here"
        assert client.wait_close(5) == (4419, "expired")


def expect_refused_as_expired(usherd, group, key):
    with usherd.connect_by_cookie(group, key) as client:
        assert client.receive_json()["reason"] == "expired"
        assert client.wait_close().code == 4419


def test_clearing_expired_sessions_closes_nobody_whose_session_lives(
        visitor, usherd, group, site):
    from datetime import timedelta

    from django.contrib.sessions.models import Session
    from django.utils import timezone
    old = site.browser().sign_in("alice", "alice")
    Session.objects.filter(pk=session_of(old)).update(
        expire_date=timezone.now() - timedelta(days=1))
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        site.manage("clearsessions")
        assert not Session.objects.filter(pk=session_of(old)).exists()
        client.ping()


def test_a_saved_session_keeps_its_socket(visitor, usherd, group, sql):
    session = store(session_of(visitor))
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        session["basket"] = ["€", "\ud83d\ude00", "x" * 3000]
        session.save()
        sql(f"SELECT usher.broadcast('{group}', '1')")
        assert client.receive() == "1"
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        client.ping()


def test_a_session_with_what_postgresqls_json_refuses_still_opens(
        visitor, usherd, group):
    session = store(session_of(visitor))
    session["odd"] = ["\0", "\ud800", float("nan")]
    session.save()
    with usherd.connect_by_cookie(group, session_of(visitor)) as client:
        client.ping()


def test_a_tampered_row_opens_nothing(visitor, usherd, group, db):
    db("UPDATE django_session SET session_data ="
       " overlay(session_data PLACING 'xx' FROM 10) WHERE session_key = %s",
       session_of(visitor))
    expect_refused(usherd, group, session_of(visitor), "bad_signature")


def test_a_session_of_nobody_is_refused_where_users_are_asked_for(
        site, usherd, group):
    from django.contrib.sessions.backends.db import SessionStore
    session = SessionStore()
    session["basket"] = 1
    session.save()
    expect_refused(usherd, group, session.session_key, "no_user_in_session")


def test_a_session_of_nobody_is_anonymous_where_anybody_may_enter(
        usherd, number):
    from django.contrib.sessions.backends.db import SessionStore
    session = SessionStore()
    session["basket"] = 1
    session.save()
    with usherd.connect_by_cookie(f"public_{number}",
                                  session.session_key) as client:
        client.ping()


def test_a_spent_cookie_is_refused_even_where_anybody_may_enter(
        visitor, usherd, number):
    key = session_of(visitor)
    visitor.sign_out()
    expect_refused(usherd, f"public_{number}", key, "no_row")


# ---- the key in the query string ------------------------------------------

def test_the_key_of_a_django_session_in_the_url_needs_its_setting(
        visitor, usherd, start_usherd, group, sql):
    answer = visitor.get("/api/short-session/")
    key = json.loads(answer.body)["session_key"]
    assert key == session_of(visitor)
    with pytest.raises(Refused) as refused:
        usherd.connect(group, session_key=key)
    assert refused.value.status == 401

    willing = start_usherd(allow_query_django_session="on")
    with willing.connect(group, session_key=key) as client:
        sql(f"SELECT usher.broadcast('{group}', '1')")
        assert client.receive() == "1"
        left = sql("SELECT expires_at BETWEEN now() + '100 s' AND now() +"
                   f" '121 s' FROM usher.validate_django_session('{key}')")
        assert left.strip() == "t"
        visitor.sign_out()
        assert client.wait_close().code == 4410


def test_our_own_session_keys_keep_working_beside_djangos(
        start_usherd, db, person, group):
    willing = start_usherd(allow_query_django_session="on")
    with willing.connect(group, session_key=db.issue(person)) as client:
        client.ping()


# ---- SECRET_KEY -----------------------------------------------------------

@contextlib.contextmanager
def secret_key(site, sql, key, fallbacks=()):
    """The site's key replaced in usher.secret, until the end of the test."""
    quoted = ", ".join(f"$q${text}$q$" for text in fallbacks)
    sql(f"SELECT usher.set_secret_key($q${key}$q$,"
        f" ARRAY[{quoted}]::text[])")
    try:
        yield
    finally:
        own = site.environment["SITE_SECRET_KEY"]
        sql(f"SELECT usher.set_secret_key($q${own}$q$)")


def test_a_session_signed_with_a_fallback_key_opens(
        visitor, usherd, group, site, sql):
    own = site.environment["SITE_SECRET_KEY"]
    with secret_key(site, sql, "a new key", ["an old one", own]):
        with usherd.connect_by_cookie(group, session_of(visitor)) as client:
            client.ping()


def test_a_session_signed_with_a_key_that_is_no_more_is_refused(
        visitor, usherd, group, site, sql):
    with secret_key(site, sql, "a new key"):
        expect_refused(usherd, group, session_of(visitor), "bad_signature")


def test_a_key_taken_away_closes_what_it_signed_and_a_fallback_keeps_it(
        visitor, usherd, group, site, sql, user):
    """simplejwt, whose default is the same key, knows no fallbacks."""
    access = site.browser().post_json("/api/jwt/", {
        "username": user.username, "password": user.username})["access"]
    own = site.environment["SITE_SECRET_KEY"]
    with usherd.connect_by_cookie(group, session_of(visitor)) as by_cookie, \
            usherd.connect_by_cookie(group, access, "JWT") as by_jwt, \
            usherd.connect(group, site.create_token(user).key) as by_token:
        with secret_key(site, sql, "a new key", [own]):
            assert by_jwt.wait_close() == (4410, "revoked")
            sql(f"SELECT usher.broadcast('{group}', '1')")
            assert by_cookie.receive() == "1"
            with secret_key(site, sql, "a new key"):
                assert by_cookie.wait_close() == (4410, "revoked")
        by_token.ping()


def test_a_deleted_user_loses_his_sockets_of_every_kind(
        visitor, usherd, group, site, user):
    access = site.browser().post_json("/api/jwt/", {
        "username": user.username, "password": user.username})["access"]
    with usherd.connect_by_cookie(group, session_of(visitor)) as by_cookie, \
            usherd.connect_by_cookie(group, access, "JWT") as by_jwt:
        user.delete()
        assert by_cookie.wait_close() == (4410, "revoked")
        assert by_jwt.wait_close() == (4410, "revoked")
    expect_refused(usherd, group, session_of(visitor), "unknown_user")


# ---- what cookies need besides --------------------------------------------

def test_a_cookie_without_an_origin_is_refused(visitor, usherd, group):
    with pytest.raises(Refused) as refused:
        usherd.connect_by_cookie(group, session_of(visitor), origin=None)
    assert refused.value.status == 403
    assert refused.value.json()["reason"] == "origin_not_allowed"


def test_a_cookie_on_a_page_of_another_site_is_refused(
        visitor, usherd, group):
    expect_refused(usherd, group, session_of(visitor), "origin_not_allowed",
                   403, origin="http://evil.example")


def test_a_cookie_on_a_page_of_an_allowed_origin_opens(
        visitor, start_usherd, group, site):
    usherd = start_usherd(allowed_origins=f"https://x.example, {site.url}")
    with usherd.connect_by_cookie(group, session_of(visitor),
                                  origin=site.url) as client:
        client.ping()


def test_no_token_header_falls_through_to_the_session_cookie(
        visitor, usherd, group, user):
    """As token middleware stacked over the session middleware does."""
    cookie = ("Cookie", f"csrftoken=x; sessionid={session_of(visitor)}")
    with usherd.connect(group, headers=[cookie], origin=usherd.origin) as c:
        c.ping()
    with usherd.connect(group, headers=[cookie, ("Authorization",
                                                 "Basic eDp5")],
                        origin=usherd.origin) as c:
        c.ping()


def test_a_bad_token_is_refused_although_the_cookie_is_good(
        visitor, usherd, group):
    cookie = {"Cookie": f"sessionid={session_of(visitor)}"}
    with pytest.raises(Refused) as refused:
        usherd.connect(group, "0" * 40, headers=cookie)
    assert refused.value.json()["reason"] == "unknown_token"
    with pytest.raises(Refused) as refused:
        usherd.connect(group, session_key="x" * 43, headers=cookie)
    assert refused.value.json()["reason"] == "unknown_session"
