"""Where a client may put its credential, and what is done with it there.

Which credentials the database accepts is the matter of test_connect.py,
test_django_sessions.py and test_jwt_and_knox.py.
"""
import base64
import itertools
import json
import urllib.parse

import pytest
from harness import Usherd, eventually
from harness.client import Refused
from harness.raw import PING, PONG
from support_wire import QUICK, ask, assert_no_secret, head


def offer(text):
    """A subprotocol that is a credential."""
    if isinstance(text, str):
        text = text.encode()
    return "usher.auth." + \
        base64.urlsafe_b64encode(text).decode().rstrip("=")


def header(text):
    return {"Authorization": text}


def cookies(**values):
    return {"Cookie": "; ".join(f"{name}={value}"
                                for name, value in values.items())}


def refusal(usherd, group, **kwargs):
    """What a refused client that is no browser is told: (status, reason)"""
    with pytest.raises(Refused) as refused:
        usherd.connect(group, **kwargs)
    return refused.value.status, refused.value.json()["reason"]


def refused_by_cookie(usherd, group, headers):
    """The reason that a browser on our own page is given."""
    with usherd.connect(group, headers=headers,
                        origin=usherd.origin) as client:
        reason = client.receive_json()["reason"]
        assert client.wait_close() == (4401, reason)
    return reason


@pytest.fixture
def public(number):
    """A group that takes anybody."""
    return f"public_{number}"


# ---- words of the Authorization header ----------------------------------

def test_each_keyword_has_the_rules_and_words_of_its_library(usherd, public):
    def told(text):
        with pytest.raises(Refused) as refused:
            usherd.connect(public, headers=header(text))
        answer = refused.value.json()
        return answer["reason"], answer["detail"]
    two = "Authorization header must contain two space-delimited values"
    assert told("Bearer") == ("no_credentials", two)
    assert told("Bearer a b") == ("has_spaces", two)
    assert told("token a b") == (
        "has_spaces",
        "Invalid token header. Token string should not contain spaces.")
    assert told("jwt") == (
        "no_credentials",
        "Invalid Authorization header. No credentials provided.")
    # simplejwt compares with case: this is another scheme, and so nobody.
    with usherd.connect(public, headers=header("bearer a b")):
        pass


def test_a_keyword_may_mean_another_library(start_usherd, token, group):
    usherd = start_usherd(header_keywords="Key=token, Token=jwt")
    with usherd.connect(group, headers=header(f"kEY {token}")):
        pass
    with pytest.raises(Refused) as refused:
        usherd.connect(group, token)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"] == "Key"


def test_keywords_change_with_a_reload(site, token, group, tmp_path):
    ini = tmp_path / "usherd.ini"
    ini.write_text("[usherd]\nheader_keywords = Key=token\n")
    usherd = Usherd(site.conninfo())
    usherd.start(arguments=[f"--config={ini}"])
    try:
        assert refusal(usherd, group, token=token) == (401, "no_credentials")
        ini.write_text("[usherd]\nheader_keywords = Token=token\n")
        usherd.reload()

        def opens():
            try:
                usherd.connect(group, token).close()
                return True
            except Refused:
                return False
        eventually(opens, what="the new keyword")
        ini.write_text("[usherd]\nheader_keywords = Token\n")
        start = len(usherd.log())
        usherd.reload()
        usherd.wait_log(r'header_keywords cannot have "Token"', start=start)
        assert opens(), "a reload that fails changes nothing"
    finally:
        usherd.stop()
        usherd.remove()


# ---- ?session_key= of Django --------------------------------------------

def test_a_django_session_key_in_the_query_counts_only_when_allowed(
        start_usherd, usherd, db, person, public):
    key = "0123456789abcdefghijklmnopqrstuv"
    assert refusal(usherd, public, session_key=key) == (401,
                                                        "unknown_session")
    allowing = start_usherd(allow_query_django_session="on")
    status, reason = refusal(allowing, public, session_key=key)
    assert (status, reason != "unknown_session") == (401, True)
    with allowing.connect(public, session_key=db.issue(person)):
        pass
    assert refusal(allowing, public, session_key="A" * 43) == \
        (401, "unknown_session")


# ---- subprotocols -------------------------------------------------------

@pytest.mark.parametrize("form", ["bare token", "header", "session key"])
def test_a_subprotocol_may_be_the_credential(form, usherd, db, person):
    text = {"bare token": person.token, "header": f"Token {person.token}",
            "session key": db.issue(person)}[form]
    for protocols in ([offer(text), "usher.raw"], ["usher.raw", offer(text)]):
        with usherd.connect(f"user_{person.id}",
                            subprotocols=protocols) as client:
            assert client.protocol.subprotocol == "usher.raw"


@pytest.mark.parametrize("offered, chosen", [
    (["chat, superchat"], "chat"),
    (["chat", "superchat"], "chat"),
    (["usher.auth.YQ"], None),
    (["usher.v1"], None),
    (["usher.v1, usher.raw"], "usher.raw"),
    (["usher.v1", "usher.auth.YQ,,"], None)])
def test_the_answer_names_no_credential_among_the_subprotocols(
        offered, chosen, usherd, token, group):
    response = ask(usherd, head(f"/ws/{group}", add=[
        ("Authorization", f"Token {token}"),
        *[("Sec-WebSocket-Protocol", one) for one in offered]]))
    assert response.status == 101
    assert response.headers.get("sec-websocket-protocol") == chosen


def test_a_browser_learns_why_its_subprotocol_is_no_good(usherd, public):
    """The answer has to choose one, or the browser fails the connection
    before it sees the close code."""
    with usherd.connect(public, subprotocols=["usher.raw", offer("0" * 40)],
                        origin="http://site") as client:
        assert client.protocol.subprotocol == "usher.raw"
        assert client.receive_json()["reason"] == "unknown_token"
        assert client.wait_close() == (4401, "unknown_token")


@pytest.mark.parametrize("protocols, reason", [
    ([offer("a"), offer("a")], "malformed_credential"),
    ([offer("a"), "x", offer("b")], "malformed_credential"),
    (["usher.auth.a"], "malformed_credential"),
    (["usher.auth.YR"], "malformed_credential"),
    ([offer("Basic YTpi")], "malformed_credential"),
    ([offer("Token")], "no_credentials"),
    (["usher.auth."], "no_credentials"),
    ([offer("Token a b")], "has_spaces"),
    ([offer(b"\xff")], "invalid_characters"),
    ([offer(b"a\0b")], "unknown_token"),
    ([offer("x" * 43)], "unknown_session")])
def test_a_bad_subprotocol_is_refused_even_where_anybody_may_join(
        protocols, reason, usherd, public):
    assert refusal(usherd, public, subprotocols=protocols) == (401, reason)


def test_a_list_of_subprotocols_that_is_no_list_is_no_handshake(usherd,
                                                                public):
    for text in ("usher.auth.YQ==", "a b", "a;b", "chat, \"x\""):
        response = ask(usherd, head(f"/ws/{public}", add=[
            ("Sec-WebSocket-Protocol", "chat"),
            ("Sec-WebSocket-Protocol", text)]))
        assert (response.status, json.loads(response.body)["reason"]) == \
            (400, "bad_handshake")


# ---- cookies ------------------------------------------------------------

@pytest.mark.parametrize("values", [
    {"sessionid": "x" * 32}, {"JWT": "a.b.c"},
    {"JWT": "a.b.c", "sessionid": "x" * 32},
    {"sessionid": '"\\000"'}, {"JWT": '"\\000"'}])
def test_a_bad_cookie_is_refused_even_where_anybody_may_join(
        values, usherd, public):
    reason = refused_by_cookie(usherd, public, cookies(**values))
    assert reason not in ("no_credentials", "origin_not_allowed")


@pytest.mark.parametrize("text", [
    "sessionid=", 'sessionid=""; JWT= ', "csrftoken=abc", "SESSIONID=abc",
    "sessionid", ""])
def test_no_cookie_or_an_empty_one_is_no_credential(text, usherd, public):
    with usherd.connect(public, headers={"Cookie": text},
                        origin="http://evil.example") as client:
        client.ping()


def test_only_the_first_cookie_header_counts(usherd, public):
    with usherd.connect(public, headers=[("Cookie", "a=b"),
                                         ("Cookie", "sessionid=bad")]):
        pass


def test_cookies_have_the_names_of_the_settings(start_usherd, public):
    usherd = start_usherd(session_cookie="__Host-sid", jwt_cookie="")
    with usherd.connect(public, headers=cookies(sessionid="x", JWT="y"),
                        origin=usherd.origin) as client:
        client.ping()
    bad = {"Cookie": "__Host-sid=nonsense"}
    assert refused_by_cookie(usherd, public, bad) != "no_credentials"


# ---- the order ----------------------------------------------------------

def test_the_first_carrier_decides(usherd, db, person):
    """Each client has one good carrier, and bad ones behind it."""
    group = f"user_{person.id}"
    bad = cookies(JWT="a.b.c", sessionid="x")
    no_protocols = ["usher.raw", offer("0" * 40)]
    with usherd.connect(group, person.token, session_key="A" * 43,
                        headers=bad, subprotocols=no_protocols):
        pass
    with usherd.connect(group, session_key=db.issue(person), headers=bad,
                        subprotocols=no_protocols):
        pass
    with usherd.connect(group, headers=bad,
                        subprotocols=["usher.raw", offer(person.token)]):
        pass


def test_a_bad_carrier_is_never_passed_over(usherd, db, person):
    """Each client has one bad carrier, and good ones behind it."""
    group = f"user_{person.id}"
    good = ["usher.raw", offer(person.token)]
    assert refusal(usherd, group, token="0" * 40,
                   session_key=db.issue(person), subprotocols=good) == \
        (401, "unknown_token")
    assert refusal(usherd, group, session_key="A" * 43,
                   subprotocols=good) == (401, "unknown_session")


class Carrier:
    """One carrier: what it holds when it is good, bad or empty, and whose
    the good one is."""

    def __init__(self, user, good, bad, reason, empty, put):
        self.user, self.good, self.put = user, good, put
        self.values = {"good": good, "bad": bad, "empty": empty}
        self.reasons = {"bad": reason, "empty": "no_credentials"}


@pytest.fixture
def carriers(site, make_user, db):
    """All five in their order, each with a user of its own.  put(request,
    value) adds to a dict of query, headers and cookies."""
    def token():
        user = make_user()
        return user, site.create_token(user).key

    def add(key, name):
        return lambda request, value: request[key].append((name, value))

    def offered(request, value):
        request["headers"].append((
            "Sec-WebSocket-Protocol", f"usher.raw, {offer(value)}"))

    header_user, header_token = token()
    query_user, query_token = token()
    session_key = db.value("SELECT session_key FROM usher.issue_session(%s)",
                           query_token)
    protocol_user, protocol_token = token()
    jwt_user, visitor = make_user(), make_user()
    access = site.browser().post_json("/api/jwt/", {
        "username": jwt_user.username,
        "password": jwt_user.username})["access"]
    browser = site.browser().sign_in(visitor.username, visitor.username)
    return [
        Carrier(header_user, f"Token {header_token}", "Token x",
                "unknown_token", "Token", add("headers", "Authorization")),
        Carrier(query_user, session_key, "A" * 43, "unknown_session", "",
                add("query", "session_key")),
        Carrier(protocol_user, protocol_token, "x", "unknown_token", "",
                offered),
        Carrier(jwt_user, access, "x", "malformed", None,
                add("cookies", "JWT")),
        Carrier(visitor, browser.cookies["sessionid"], "x" * 32, "no_row",
                None, add("cookies", "sessionid"))]


def test_of_every_two_carriers_the_first_decides(usherd, carriers):
    """Who is identified is told by whose own group can be entered."""
    for first, second in itertools.combinations(carriers, 2):
        for state, value in first.values.items():
            if value is None:
                continue    # an empty cookie is none
            for other in (second.good, second.values["bad"]):
                request = {"query": [], "headers": [], "cookies": []}
                first.put(request, value)
                second.put(request, other)
                whose = first.user if state == "good" else second.user
                assert told(usherd, whose, **request) == \
                    first.reasons.get(state, "open"), (state, request)


def told(usherd, user, query, headers, cookies):
    """What a page of ours hears who asks for that user's group."""
    headers = [*headers, ("Origin", usherd.origin)]
    if cookies:
        headers.append(("Cookie", "; ".join("=".join(one)
                                            for one in cookies)))
    with usherd.raw() as raw:
        raw.send(head(f"/ws/user_{user.pk}?{urllib.parse.urlencode(query)}",
                      add=headers, Host=f"127.0.0.1:{usherd.port}"))
        assert raw.response().status == 101
        raw.frame(PING, "ping")
        frame = raw.read_frame()
        return "open" if frame.opcode == PONG else \
            json.loads(frame.payload)["reason"]


def test_a_header_of_another_scheme_falls_through_to_the_cookie(usherd,
                                                                group):
    headers = {**header("Basic YTpi"), **cookies(sessionid="x" * 32)}
    assert refused_by_cookie(usherd, group, headers) != "no_credentials"


# ---- secrecy ------------------------------------------------------------

def test_no_credential_of_any_carrier_reaches_the_log(start_usherd, db,
                                                      person, public):
    usherd = start_usherd(allow_query_token="on",
                          allow_query_django_session="on", **QUICK)
    mark = "sentinel"
    protocol = offer(f"{mark}-protocol")
    attempts = [
        header(f"Token {mark}-token"), header(f"Bearer {mark}-jwt.b.c"),
        header(f"JWT {mark} {mark}"), header(f"Basic {mark}"),
        cookies(sessionid=f"{mark}-session"), cookies(JWT=f"{mark}-cookie"),
        cookies(sessionid=f'"{mark}\\000"'),
        {"Sec-WebSocket-Protocol": f"usher.raw, {protocol}"},
        {"Sec-WebSocket-Protocol": f"{protocol}, {protocol}"},
        {"Sec-WebSocket-Protocol": f"{protocol}=="}]
    for headers in attempts:
        for origin in ([], [("Origin", usherd.origin)],
                       [("Origin", f"http://{mark}.example")]):
            ask_any(usherd, public, [*headers.items(), *origin])
    for query in (f"session_key={mark}", f"token={mark}",
                  f"session_key={mark}%00", f"other={mark}"):
        ask_any(usherd, f"{public}?{query}")
    with usherd.connect(public, subprotocols=["usher.raw",
                                              offer(person.token)]):
        pass
    key = db.issue(person)
    with usherd.connect(public, subprotocols=["usher.raw", offer(key)]):
        pass
    eventually(lambda: usherd.log().count("joined") >= 2)
    log = usherd.log()
    assert "refused" in log and "request -> admitting" in log
    assert_no_secret(log, mark, protocol, offer(person.token), offer(key),
                     person.token, key)
    usherd.stop()
    assert mark not in usherd.log()


def ask_any(usherd, target, add=()):
    """Send a request, whatever becomes of it."""
    with usherd.raw() as raw:
        raw.send(head(f"/ws/{target}", add=add))
        raw.response()
