"""Who gets in, by which carrier, and how the others are told."""
import concurrent.futures
import json
import urllib.parse

import pytest
from harness import REPO, eventually
from harness.client import Refused
from support_wire import QUICK, ask, assert_no_secret, broadcast_text, head

VECTORS = json.loads((REPO / "test/vectors/vectors.json").read_text())
CASES = [case for case in VECTORS["cases"] if case["kind"] == "authtoken"]

# These carry a control byte, which RFC 9110 5.5 lets no header value have: the
# request is refused before anybody looks for a credential in it.
NOT_HTTP = {"token_vertical_tab_form_feed", "token_nul"}


def refusal_of(connect):
    """The Refused that a call ends with."""
    with pytest.raises(Refused) as refused:
        connect()
    return refused.value


@pytest.fixture
def issue(sql):
    """issue(token, ttl="1 s", groups=[...], max_uses=1): a session key."""
    def issue(token, **how):
        arguments = [f"'{token}'"]
        if "groups" in how:
            how["groups"] = "{" + ",".join(how["groups"]) + "}"
        arguments += [f"{name} => '{value}'" for name, value in how.items()]
        return sql("SELECT session_key FROM usher.issue_session("
                   + ", ".join(arguments) + ")")
    return issue


@pytest.fixture(scope="module")
def generous(site):
    """A listener that takes ?token= too."""
    from harness import Usherd
    with Usherd(site.conninfo(), allow_query_token="on", **QUICK) as usherd:
        yield usherd


# ---- the Authorization header -------------------------------------------

@pytest.fixture(scope="module")
def people(site):
    """The users and tokens of the vectors; user ids by those of the file."""
    from rest_framework.authtoken.models import Token
    ids = {}
    for user in VECTORS["users"]:
        made = site.create_user(f"vector_{user['username']}",
                                is_active=user["is_active"])
        ids[user["id"]] = made.pk
    rows = {row["key"]: row for case in CASES for row in case["input"]["rows"]}
    for row in rows.values():
        Token.objects.create(key=row["key"], user_id=ids[row["user_id"]])
    yield ids
    Token.objects.filter(user_id__in=ids.values()).delete()


@pytest.fixture(scope="module")
def tokens_only(site):
    """A listener that knows no library but REST framework."""
    from harness import Usherd
    with Usherd(site.conninfo(), header_keywords="Token=token") as usherd:
        yield usherd


@pytest.fixture(scope="module")
def bearer(site):
    """A listener whose keyword is Bearer."""
    from harness import Usherd
    with Usherd(site.conninfo(), header_keywords="Bearer=token") as usherd:
        yield usherd


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_a_header_is_judged_as_rest_framework_judges_it(
        case, people, tokens_only, bearer):
    listener = bearer if case["input"]["keyword"] == "Bearer" else tokens_only
    value = case["input"]["header_hex"]
    add = [] if value is None else [("Authorization", bytes.fromhex(value))]
    expect = case["expect"]
    # Only its owner may join, so who is admitted is also who it should be.
    owner = people[expect.get("user_id", "7")]
    response = ask(listener, head(f"/ws/user_{owner}", add=add))
    if case["name"] in NOT_HTTP:
        assert response.status == 400
        return
    if expect["valid"]:
        assert response.status == 101
        return
    body = json.loads(response.body)
    assert response.status == 401
    assert response.headers["www-authenticate"] == case["input"]["keyword"]
    if expect["reason"] == "not_attempted":
        assert body["reason"] == "no_credentials"
        assert body["detail"] == \
            "Authentication credentials were not provided."
    else:
        assert body["reason"] == expect["reason"]
        assert body["detail"] == expect.get("detail", body["detail"])


def test_another_listener_keyword_makes_token_another_scheme(bearer, token,
                                                             group):
    refused = refusal_of(lambda: bearer.connect(group, token))
    assert (refused.status, refused.json()["reason"]) == (401,
                                                          "no_credentials")
    with bearer.connect(group, headers={"Authorization": f"Bearer {token}"}):
        pass


# ---- the query ----------------------------------------------------------

def test_a_session_key_is_the_user_whose_token_issued_it(usherd, issue, token,
                                                         user):
    key = issue(token)
    with usherd.connect(f"user_{user.pk}", session_key=key):
        pass
    refused = refusal_of(
        lambda: usherd.connect(f"user_{user.pk + 1}", session_key=key))
    assert refused.json()["reason"] == "not_allowed"


def test_a_session_key_may_be_percent_encoded(usherd, issue, token, group):
    key = "".join(f"%{ord(c):02x}" for c in issue(token))
    name = "s%65ssion_key"
    response = ask(usherd, head(f"/ws/{group}?a=1&{name}={key}&b"))
    assert response.status == 101


def test_a_session_key_may_be_used_often_unless_it_says_otherwise(
        usherd, issue, token, group):
    key = issue(token)
    for _ in range(3):
        with usherd.connect(group, session_key=key):
            pass


def test_a_token_in_the_query_is_no_credential_by_default(usherd, token,
                                                          group, number):
    target = f"/ws/{group}?token={token}"
    response = ask(usherd, head(target))
    assert response.status == 401
    assert json.loads(response.body)["reason"] == "no_credentials"
    # To a group that takes anybody he is nobody.
    assert ask(usherd, head(f"/ws/public_{number}?token=x")).status == 101


def test_a_token_in_the_query_opens_when_that_is_allowed(generous, token,
                                                         user):
    response = ask(generous, head(f"/ws/user_{user.pk}?token={token}"))
    assert response.status == 101
    wrong = ask(generous, head(f"/ws/user_{user.pk}?token={token}x"))
    assert wrong.status == 401
    assert json.loads(wrong.body)["reason"] == "unknown_token"
    assert_no_secret(generous.log(), token)


# ---- nobody -------------------------------------------------------------

def test_anybody_joins_where_the_policy_says_anyone(usherd, sql, number):
    with usherd.connect(f"public_{number}") as client:
        broadcast_text(sql, f"public_{number}", "for all")
        assert client.receive() == "for all"


def test_an_anonymous_client_is_asked_for_credentials_elsewhere(usherd,
                                                                group):
    refused = refusal_of(lambda: usherd.connect(group))
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == "Token"
    assert refused.json()["reason"] == "no_credentials"


@pytest.mark.parametrize("carrier", ["header", "query", "both"])
def test_a_bad_credential_is_refused_even_where_anybody_may_join(
        carrier, usherd, number):
    group = f"public_{number}"
    refused = refusal_of(lambda: usherd.connect(
        group,
        token="0" * 40 if carrier != "query" else None,
        session_key="0" * 43 if carrier != "header" else None))
    assert refused.status == 401


def test_an_inactive_user_is_told_so(usherd, make_token, group):
    token = make_token(is_active=False)
    refused = refusal_of(lambda: usherd.connect(group, token))
    assert refused.json() == {"code": 4401, "reason": "inactive_user",
                              "detail": "User inactive or deleted."}


# ---- two carriers -------------------------------------------------------

def test_the_header_decides_before_the_query(usherd, issue, token, group):
    good, bad = issue(token), "A" * 43
    with usherd.connect(group, token, session_key=bad):
        pass
    refused = refusal_of(
        lambda: usherd.connect(group, "0" * 40, session_key=good))
    assert refused.json()["reason"] == "unknown_token"


def test_a_header_of_another_scheme_leaves_it_to_the_query(usherd, issue,
                                                           token, group):
    basic = {"Authorization": "Basic YTpi"}
    with usherd.connect(group, session_key=issue(token), headers=basic):
        pass
    refused = refusal_of(lambda: usherd.connect(group, headers=basic))
    assert refused.json()["reason"] == "no_credentials"


def test_the_session_key_decides_before_the_token_of_the_query(
        generous, issue, token, group):
    key = issue(token)
    good = head(f"/ws/{group}?token=wrong&session_key={key}")
    assert ask(generous, good).status == 101
    bad = ask(generous, head(f"/ws/{group}?token={token}&session_key=wrong"))
    assert json.loads(bad.body)["reason"] == "unknown_session"


@pytest.mark.parametrize("query", [
    "session_key={key}&session_key={key}", "session_key=", "session_key",
    "session_key=%zz", "session_key={key}%0", "session_key=%ff"])
def test_a_session_key_that_cannot_be_read_is_never_anonymous(
        query, usherd, issue, token, number):
    query = query.format(key=issue(token))
    response = ask(usherd, head(f"/ws/public_{number}?{query}"))
    assert response.status == 401
    assert response.headers["www-authenticate"] == "Token"


# ---- session keys with an end -------------------------------------------

def test_a_single_use_session_key_opens_once(usherd, issue, token, group):
    key = issue(token, max_uses=1)
    with usherd.connect(group, session_key=key) as client:
        refused = refusal_of(lambda: usherd.connect(group, session_key=key))
        assert (refused.status, refused.json()["reason"]) == (401, "used_up")
        client.ping()


def test_of_two_uses_at_once_exactly_one_wins(usherd, issue, token, group):
    def status(key):
        return ask(usherd, head(f"/ws/{group}?session_key={key}")).status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            key = issue(token, max_uses=1)
            assert sorted(pool.map(status, [key] * 8)) == [101] + [401] * 7


def test_a_misspelt_group_costs_a_single_use_session_key_nothing(
        usherd, issue, token, group):
    key = issue(token, max_uses=1)
    refused = refusal_of(lambda: usherd.connect(f"x{group}", session_key=key))
    assert refused.json()["reason"] == "unknown_group"
    refusal_of(lambda: usherd.connect(f"{group}/1", session_key=key))
    with usherd.connect(group, session_key=key):
        pass


def test_a_session_key_for_some_groups_opens_no_other(usherd, issue, token,
                                                      group):
    key = issue(token, groups=[group, f"{group}b"])
    for name in (group, f"{group}b"):
        with usherd.connect(name, session_key=key):
            pass
    refused = refusal_of(lambda: usherd.connect("app_0", session_key=key))
    assert refused.status == 403
    assert refused.json()["reason"] == "group_not_in_session"


def test_an_expired_session_key_is_refused(usherd, issue, token, group):
    key = issue(token, ttl="150 ms")

    def reason():
        try:
            usherd.connect(group, session_key=key).close()
        except Refused as refused:
            return refused.status, refused.json()["reason"]
    assert eventually(reason) == (401, "expired")


def test_a_session_key_dies_with_its_token(usherd, issue, token, user, group):
    key = issue(token)
    user.auth_token.delete()
    refused = refusal_of(lambda: usherd.connect(group, session_key=key))
    assert refused.status == 401


# ---- refusals over HTTP -------------------------------------------------

def test_the_answer_to_a_good_request_is_a_bare_101(usherd, number):
    response = ask(usherd, head(f"/ws/public_{number}", add=[
        ("Sec-WebSocket-Extensions", "permessage-deflate")]))
    assert response.status == 101
    # RFC 6455 4.2.2, of the key in support_wire.py
    assert response.headers == {
        "upgrade": "websocket", "connection": "Upgrade",
        "sec-websocket-accept": "Bz3qJYTGdOe8gUSpLosEdiLKDrk="}


def test_a_refusal_is_json_and_not_to_be_cached(usherd, group):
    response = ask(usherd, head(f"/ws/{group}"))
    assert response.status == 401
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["connection"] == "close"
    assert json.loads(response.body) == {
        "code": 4401, "reason": "no_credentials",
        "detail": "Authentication credentials were not provided."}


@pytest.mark.parametrize("target, status, reason", [
    ("/ws/user_0", 403, "not_allowed"),
    ("/ws/unheardof_1", 403, "unknown_group"),
    ("/ws/unheardof", 403, "unknown_group"),
    ("/ws/a/b", 404, "invalid_group"),
    ("/ws/app%5f1", 404, "invalid_group"),
    ("/ws/" + "a" * 100, 404, "invalid_group"),
    ("/", 404, "not_found"),
    ("/wss/app_1", 404, "not_found")])
def test_a_group_that_is_not_for_him_is_refused_with_its_status(
        target, status, reason, usherd, token):
    response = ask(usherd, head(target, add=[("Authorization",
                                              f"Token {token}")]))
    assert response.status == status
    assert json.loads(response.body)["reason"] == reason


def test_a_slash_behind_the_group_is_ignored(usherd, sql, token, group):
    with usherd.connect(f"{group}/", token) as client:
        broadcast_text(sql, group, "here")
        assert client.receive() == "here"


@pytest.mark.parametrize("request_bytes, status, header", [
    (head(method="POST"), 405, ("allow", "GET")),
    (head(drop=["Upgrade", "Connection", "Sec_WebSocket_Key"]), 426,
     ("upgrade", "websocket")),
    (head(Sec_WebSocket_Version="8"), 426, ("sec-websocket-version", "13")),
    (head(add=[("X", "y" * 20000)]), 431, ("connection", "close"))],
    ids=["405", "426 without upgrade", "426 of another version", "431"])
def test_a_request_of_the_wrong_form_is_told_the_right_one(
        request_bytes, status, header, usherd):
    response = ask(usherd, request_bytes)
    assert response.status == status
    assert response.headers[header[0]] == header[1]
    assert json.loads(response.body)["detail"]


def test_one_user_too_often_is_429(start_usherd, make_token, group):
    usherd = start_usherd(max_connections_per_user=1)
    one, other = make_token(), make_token()
    with usherd.connect(group, one):
        refused = refusal_of(lambda: usherd.connect(group, one))
        assert refused.status == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["reason"] == "too_many_connections"
        with usherd.connect(group, other):
            pass
    eventually(lambda: ask(usherd, head(f"/ws/{group}", add=[
        ("Authorization", f"Token {one}")])).status == 101)


@pytest.fixture
def orphan(start_orphan):
    """A listener whose database is not there."""
    return start_orphan(**{**QUICK, "auth_timeout": "200ms"})


def test_without_a_database_a_client_is_told_503(orphan):
    refused = refusal_of(lambda: orphan.connect("public_1"))
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["reason"] == "database_unavailable"
    assert orphan.get("/readyz").status == 503


# ---- refusals of a browser, whose script sees no HTTP status -------------

ORIGIN = "https://site.example"


def told(client):
    """What a refused browser is told: its message and its close."""
    with client:
        message = client.receive_json()
        close = client.wait_close()
    assert message["type"] == "error"
    assert (message["code"], message["reason"]) == (close.code, close.reason)
    assert message["detail"]
    return close.code, close.reason


def test_a_browser_that_is_admitted_is_told_nothing(usherd, token, sql,
                                                    group):
    with usherd.connect(group, token, origin=ORIGIN) as client:
        broadcast_text(sql, group, "first")
        assert client.receive() == "first"


@pytest.mark.parametrize("name, code, reason", [
    ("app_1", 4401, "no_credentials"),
    ("unheardof_1", 4401, "no_credentials"),    # not even that it is not
    ("user_0", 4401, "no_credentials"),
    ("a/b", 4400, "invalid_group"),
    ("../nothing", 4400, "invalid_group")])
def test_a_browser_is_refused_with_a_message_and_a_close_code(
        name, code, reason, usherd):
    assert told(usherd.connect(name, origin=ORIGIN)) == (code, reason)


def test_a_browser_learns_why_its_session_key_is_no_good(usherd, issue, token,
                                                         group):
    def refused(key, name=group):
        return told(usherd.connect(name, session_key=key, origin=ORIGIN))
    assert refused("nonsense") == (4401, "unknown_session")
    once = issue(token, max_uses=1)
    usherd.connect(group, session_key=once).close()
    assert refused(once) == (4401, "used_up")
    assert refused(issue(token, groups=[group]), "app_0") \
        == (4403, "group_not_in_session")
    assert refused(issue(token), "unheardof_1") == (4403, "unknown_group")
    assert refused(issue(token), "user_0") == (4403, "not_allowed")
    short = issue(token, ttl="100 ms")

    def at_its_end():
        client = usherd.connect(group, session_key=short, origin=ORIGIN)
        try:
            return client.wait_close()[0] == 4419 and client.messages
        finally:
            client.close()
    assert "expired" in eventually(at_its_end)[0]


def test_a_browser_at_a_limit_is_closed_4429(start_usherd, token, group):
    usherd = start_usherd(max_connections_per_address=1)
    with usherd.connect(group, token):
        assert told(usherd.connect(group, token, origin=ORIGIN)) \
            == (4429, "too_many_connections")


def test_a_browser_is_told_1013_without_a_database(orphan):
    assert told(orphan.connect("public_1", origin=ORIGIN)) \
        == (1013, "database_unavailable")


def test_a_browser_with_a_broken_handshake_gets_http(usherd):
    """There is no key to answer 101 with."""
    response = ask(usherd, head(Sec_WebSocket_Key="short",
                                add=[("Origin", ORIGIN)]))
    assert response.status == 400


def test_what_a_refused_browser_sends_reaches_nobody(usherd, token, group):
    with usherd.connect(group, token) as member:
        with usherd.raw() as raw:
            raw.send(head(f"/ws/{group}", add=[("Origin", ORIGIN)]))
            assert raw.response().status == 101
            raw.frame(1, "let me in")
            assert raw.read_close()[0] == 4401
            raw.frame(1, "and this")
            raw.frame(8, b"\x11\x31")
            assert raw.ended(3)
        member.receive_nothing(0.2)


@pytest.mark.parametrize("refusal, origin, status", [
    ("http", ORIGIN, 401), ("http", None, 401),
    ("websocket", ORIGIN, 101), ("websocket", None, 101)])
def test_the_setting_refusal_decides_for_everybody(
        refusal, origin, status, refusing, group):
    add = [("Origin", origin)] if origin else []
    with refusing(refusal).raw() as raw:
        raw.send(head(f"/ws/{group}", add=add))
        assert raw.response().status == status
        if status == 101:
            assert b"no_credentials" in raw.read_message()
            assert raw.read_close() == (4401, "no_credentials")


@pytest.fixture(scope="module")
def refusing(site):
    """refusing("http"): a listener with that setting."""
    from harness import Usherd
    made = {}

    def get(refusal):
        if refusal not in made:
            made[refusal] = Usherd(site.conninfo(), refusal=refusal).start()
        return made[refusal]
    yield get
    for usherd in made.values():
        usherd.stop()
        usherd.remove()


# ---- what the log keeps to itself ----------------------------------------

def test_no_credential_is_ever_logged(start_usherd, issue, token, group):
    usherd = start_usherd(**QUICK, allow_query_token="on")
    key = issue(token)
    wrong = "f" * 40
    usherd.connect(group, token).close()
    usherd.connect(group, session_key=key).close()
    ask(usherd, head(f"/ws/{group}?token={token}"))
    ask(usherd, head(f"/ws/{group}?token={wrong}"))
    ask(usherd, head(f"/ws/{group}?session_key={wrong}"))
    ask(usherd, head(f"/nowhere?session_key={key}"))
    # Whoever mistypes his URL has not given his key away.
    ask(usherd, head(f"/ws/{group}&session_key={key}",
                     add=[("Authorization", f"Token {wrong}")]))
    ask(usherd, head(f"/ws/{group}?session_key={key}", method="POST"))
    ask(usherd, head(f"/ws/{group} {key}"))
    log = usherd.log()
    assert "refused with 401: unknown_token" in log
    assert_no_secret(log, token, wrong, urllib.parse.quote(key))
