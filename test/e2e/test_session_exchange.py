"""POST /session: a credential in, a session key out."""
import json
import time
import types
from datetime import datetime

import pytest

from support_v1 import V1Client


def post(usherd, body=None, headers=(), target="/session", method="POST",
         pieces=1):
    """The response, its JSON parsed as .json."""
    data = b"" if body is None else \
        body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{usherd.port}"]
    if body is not None:
        lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(data)}")
    lines += [f"{name}: {value}" for name, value in headers]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + data
    with usherd.raw() as raw:
        size = -(-len(request) // pieces)
        for start in range(0, len(request), size):
            raw.send(request[start:start + size])
            if pieces > 1:
                time.sleep(0.02)
        response = raw.response()
        assert raw.ended(3)
    return types.SimpleNamespace(
        status=response.status, headers=response.headers,
        json=json.loads(response.body) if response.body else None)


def bearing(token):
    return [("Authorization", f"Token {token}")]


def works(usherd, answer, person):
    """The key logs the person in."""
    assert answer.status == 200, answer
    assert answer.json["user"] == person.id
    assert answer.json["username"] == person.name
    assert answer.headers["cache-control"] == "no-store"
    with V1Client(usherd,
                  query=f"?session_key={answer.json['session_key']}") as c:
        assert c.welcome["user"] == person.id
        assert c.welcome["kind"] == "session"


def test_a_token_in_the_header_becomes_a_session_key(usherd, person):
    answer = post(usherd, headers=bearing(person.token))
    works(usherd, answer, person)
    assert 118 <= answer.json["expires_in"] <= 120
    end = datetime.strptime(answer.json["expires_at"],
                            "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    assert 115 < end - time.time() < 121


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_token_in_the_body_becomes_a_session_key(usherd, person, pieces):
    works(usherd, post(usherd, {"token": person.token}, pieces=pieces), person)


def test_a_long_and_odd_name_comes_whole(usherd, db, person):
    name = "\x01" * 140 + "\"\\\u20ac"
    db("UPDATE auth_user SET username = %s WHERE id = %s", name, person.id)
    answer = post(usherd, headers=bearing(person.token))
    assert (answer.status, answer.json["username"]) == (200, name)


def test_ttl_groups_and_max_uses_are_those_of_the_key(usherd, person, group):
    # longer than the warning before the end, which would come in between
    answer = post(usherd, {"ttl": 90, "groups": [group], "max_uses": 1},
                  headers=bearing(person.token))
    assert 88 <= answer.json["expires_in"] <= 90
    key = answer.json["session_key"]
    with V1Client(usherd, query=f"?session_key={key}") as client:
        client.subscribe(group)
        client.refused(4403, "group_not_in_session", "subscribe",
                       group=group + "x")
    with V1Client(usherd) as client:
        client.refused(4401, "used_up", "auth", token=key)


def test_the_key_dies_with_the_token(usherd, db, person, group):
    key = post(usherd, headers=bearing(person.token)).json["session_key"]
    with V1Client(usherd, query=f"?session_key={key}") as client:
        db("DELETE FROM authtoken_token WHERE key = %s", person.token)
        client.expect_close(4410, "revoked")


def test_the_cookie_of_a_django_session_becomes_a_key_that_dies_with_it(
        usherd, site, user, db):
    from django.test import Client as Browser
    browser = Browser()
    browser.force_login(user)
    cookie = browser.cookies["sessionid"].value
    headers = [("Cookie", f"sessionid={cookie}"), ("Origin", usherd.origin)]
    answer = post(usherd, headers=headers)
    assert answer.status == 200, answer
    key = answer.json["session_key"]
    with V1Client(usherd, query=f"?session_key={key}") as client:
        assert client.welcome["user"] == str(user.pk)
        db("DELETE FROM django_session WHERE session_key = %s", cookie)
        client.expect_close(4410, "revoked")
    with V1Client(usherd) as client:
        client.refused(4401, "unknown_session", "auth", token=key)


def test_a_cookie_counts_for_pages_of_ours_only(usherd, site, user):
    from django.test import Client as Browser
    browser = Browser()
    browser.force_login(user)
    cookie = ("Cookie", f"sessionid={browser.cookies['sessionid'].value}")
    for origin in ([], [("Origin", "https://evil.example")]):
        answer = post(usherd, headers=[cookie, *origin])
        assert (answer.status, answer.json["reason"]) == \
            (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("body, headers, status, reason", [
    (None, [], 401, "no_credentials"),
    ({}, [], 401, "no_credentials"),
    ({"token": "Token 12"}, [], 401, "unknown_token"),
    ({"token": "a b c"}, [], 401, "malformed_credential"),
    ({"token": 7}, [], 400, "bad_options"),
    (b"{", [], 400, "bad_options"),
    (b"[]", [], 400, "bad_options"),
    (b"\xff", [], 400, "bad_options"),
    (b'{"a": "\\u0000"}', [("Authorization", "Token x")], 400, "bad_options"),
    ({"ttl": -1}, [("Authorization", "Token x")], 400, "bad_options"),
    ({"colour": "red"}, [("Authorization", "Token x")], 400, "bad_options"),
])
def test_what_is_refused_says_why(usherd, body, headers, status, reason):
    answer = post(usherd, body, headers)
    assert (answer.status, answer.json["reason"]) == (status, reason)


def test_a_session_key_is_not_given_for_a_session_key(usherd, db, person):
    answer = post(usherd, {"token": db.issue(person)})
    assert (answer.status, answer.json["reason"]) == \
        (403, "session_not_exchangeable")


def test_bodies_that_are_not_json_or_have_no_length_are_refused(
        usherd, person):
    def refused(request):
        with usherd.raw() as raw:
            raw.send(b"POST /session HTTP/1.1\r\nHost: a\r\n" + request)
            response = raw.response()
            return response.status, json.loads(response.body)["reason"]
    assert refused(b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
                   ) == (415, "unsupported_media_type")
    assert refused(b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == \
        (411, "length_required")
    assert refused(b"Content-Length: 99999999999999999999999\r\n\r\n") == \
        (413, "body_too_large")
    for length in (b"-1", b"x", b"", b"2\r\nContent-Length: 2"):
        assert refused(b"Content-Length: " + length + b"\r\n\r\n") == \
            (400, "malformed_request")


def test_whoever_waits_to_be_told_to_send_the_body_is_told(usherd, person):
    body = json.dumps({"token": person.token}).encode()
    head = (b"POST /session HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
            b"Content-Type: application/json\r\n")
    with usherd.raw() as raw:
        raw.send(head + b"Content-Length: %d\r\n\r\n" % len(body))
        assert raw.response().status == 100
        raw.send(body[:9])
        time.sleep(0.05)
        raw.send(body[9:])
        assert raw.response().status == 200
    with usherd.raw() as raw:
        raw.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert raw.response().status == 200
    with usherd.raw() as raw:
        raw.send(head + b"Content-Length: 99999\r\n\r\n")
        assert raw.response().status == 413


def test_what_comes_behind_the_body_is_none_of_it(usherd, person):
    body = json.dumps({"token": person.token}).encode()
    for length, sent, status in (
            (b"Content-Length: %d\r\n" % len(body), body + b"}", 200),
            (b"Content-Length: 0\r\n", body, 401), (b"", body, 401)):
        with usherd.raw() as raw:
            raw.send(b"POST /session HTTP/1.1\r\nHost: a\r\n"
                     b"Content-Type: application/json\r\n" + length +
                     b"\r\n" + sent)
            assert raw.response().status == status


def test_a_body_that_does_not_come_is_not_waited_for(start_usherd):
    usherd = start_usherd(header_timeout="300ms")
    with usherd.raw() as raw:
        raw.send(b"POST /session HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
                 b"\r\n{")
        assert raw.response().status == 408


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_allowed(usherd, method):
    answer = post(usherd, method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_a_page_of_an_allowed_origin_may_ask(start_usherd, person):
    usherd = start_usherd(allowed_origins="https://example.com")
    page = [("Origin", "https://example.com")]
    ask = post(usherd, method="OPTIONS", headers=page + [
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type")])
    assert ask.status == 204
    # RFC 9110 8.6: there is none, so it has no length
    assert "content-length" not in ask.headers
    assert "authorization" in ask.headers["access-control-allow-headers"].lower()
    assert "POST" in ask.headers["access-control-allow-methods"]
    for answer in (ask, post(usherd, headers=page + bearing(person.token)),
                   post(usherd, headers=page + bearing("wrong"))):
        assert answer.headers["access-control-allow-origin"] == \
            "https://example.com"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"
    for origin in ("https://example.org", "null"):
        stranger = post(usherd, method="OPTIONS",
                        headers=[("Origin", origin)])
        assert stranger.status == 403
        assert "access-control-allow-origin" not in stranger.headers
        assert stranger.headers["vary"] == "Origin"


def test_of_several_origins_the_one_that_counts_is_named(start_usherd, person):
    usherd = start_usherd(allowed_origins="https://example.com")
    answer = post(usherd, headers=bearing(person.token) + [
        ("Origin", "https://evil.example"), ("Origin", "https://example.com")])
    assert answer.headers["access-control-allow-origin"] == \
        "https://example.com"


def test_without_a_database_the_answer_is_503(start_orphan):
    usherd = start_orphan(auth_timeout="300ms")
    answer = post(usherd, headers=bearing("x"))
    assert (answer.status, answer.json["reason"]) == \
        (503, "database_unavailable")


def test_the_key_and_the_token_are_never_logged(start_usherd, person):
    usherd = start_usherd(log_level="debug")
    key = post(usherd, {"token": person.token}).json["session_key"]
    assert key not in usherd.log() and person.token not in usherd.log()
