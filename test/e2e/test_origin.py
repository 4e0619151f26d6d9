"""Which pages may connect.  test_channels_origin.py compares the matching of
patterns with Channels' own; here is what follows from it."""
import json
import subprocess

import pytest
from harness import Usherd, eventually
from harness.client import Closed, Refused
from support_wire import QUICK, ask, head
from websockets.exceptions import InvalidState

FOREIGN = "http://evil.example"
COOKIE = {"Cookie": "sessionid=nonsense"}
REFUSED = (4403, "origin_not_allowed")


def verdict(usherd, group, **kwargs):
    """How a connection ends: (code, reason), None when it stays open."""
    try:
        client = usherd.connect(group, **kwargs)
    except Refused as refused:
        return refused.status, refused.json()["reason"]
    with client:
        try:
            client.ping()
            return None
        except (Closed, InvalidState):  # the close may be there already
            return client.wait_close()


def asked_for_its_cookie(outcome):
    """The cookie is no good, but that was found out by looking at it."""
    return outcome is not None and outcome[1] != "origin_not_allowed"


@pytest.fixture
def public(number):
    """A group that takes anybody."""
    return f"public_{number}"


@pytest.fixture(scope="module")
def listed(site):
    """A listener with a list."""
    with Usherd(site.conninfo(), allowed_origins="https://a.example, "
                ".b.example") as usherd:
        yield usherd


# ---- without a list -----------------------------------------------------

@pytest.mark.parametrize("origin", [FOREIGN, "null", "", "http://127.0.0.1",
                                    "http://127.0.0.1:1", "127.0.0.1"])
def test_a_cookie_counts_on_no_page_of_another_origin(origin, usherd, public):
    assert verdict(usherd, public, headers=COOKIE, origin=origin) == REFUSED


def test_a_cookie_needs_an_origin(usherd, public):
    for cookie in ("sessionid=nonsense", "JWT=a.b.c", 'JWT="\\000"'):
        assert verdict(usherd, public, headers={"Cookie": cookie}) == \
            (403, "origin_not_allowed")


def test_a_cookie_counts_on_a_page_of_the_host_itself(usherd, public):
    assert asked_for_its_cookie(
        verdict(usherd, public, headers=COOKIE, origin=usherd.origin))


def test_a_proxys_tls_does_not_make_it_another_host(usherd, public):
    """Host has no port there, and the page has https."""
    for host, allowed in (("site.example", True), ("site.example:443", True),
                          ("SITE.example", True), ("site.example:80", False),
                          ("other.example", False)):
        with usherd.raw() as raw:
            raw.send(head(f"/ws/{public}", Host=host, add=[
                *COOKIE.items(), ("Origin", "https://site.example")]))
            assert raw.response().status == 101
            raw.read_message()
            assert (raw.read_close() != REFUSED) == allowed


def test_other_credentials_do_not_depend_on_the_page(usherd, token, group,
                                                     public, db, person):
    for origin in (FOREIGN, "null"):
        assert verdict(usherd, public, origin=origin) is None
        assert verdict(usherd, group, token=token, origin=origin) is None
        assert verdict(usherd, group, session_key=db.issue(person),
                       headers=COOKIE, origin=origin) is None


# ---- with a list --------------------------------------------------------

@pytest.mark.parametrize("origin, allowed", [
    ("https://a.example", True), ("https://A.example:443", True),
    ("http://a.example", False), ("https://a.example:8443", False),
    ("http://b.example:8000", True), ("https://x.y.b.example", True),
    ("https://evilb.example", False), ("https://a.example/", False),
    ("https://x@a.example", False), ("null", False), (FOREIGN, False)])
def test_a_list_binds_every_page_whatever_its_credential(
        origin, allowed, listed, token, group, public):
    outcome = None if allowed else REFUSED
    assert verdict(listed, public, origin=origin) == outcome
    assert verdict(listed, group, token=token, origin=origin) == outcome
    by_cookie = verdict(listed, public, headers=COOKIE, origin=origin)
    assert asked_for_its_cookie(by_cookie) == allowed


def test_with_a_list_the_host_itself_is_not_allowed_unless_listed(listed,
                                                                  public):
    assert verdict(listed, public, headers=COOKIE,
                   origin=listed.origin) == REFUSED


def test_with_a_list_who_sends_no_origin_needs_none_but_for_a_cookie(
        listed, token, group, public):
    assert verdict(listed, group, token=token) is None
    assert verdict(listed, public) is None
    assert verdict(listed, public, headers=COOKIE) == \
        (403, "origin_not_allowed")


def test_of_two_origins_the_last_counts(listed, public):
    for first, second, status in ((FOREIGN, "https://a.example", 101),
                                  ("https://a.example", FOREIGN, 403)):
        with listed.raw() as raw:
            raw.send(head(f"/ws/{public}", add=[("Origin", first),
                                                ("Origin", second)]))
            assert raw.response().status == 101
            if status == 403:
                raw.read_message()
                assert raw.read_close() == REFUSED
            else:
                raw.frame(9, "ping")
                assert raw.read_frame().opcode == 10


def test_a_list_takes_effect_with_a_reload(site, public, tmp_path):
    ini = tmp_path / "usherd.ini"
    ini.write_text("[usherd]\n")
    usherd = Usherd(site.conninfo())
    usherd.start(arguments=[f"--config={ini}"])
    try:
        assert verdict(usherd, public, origin=FOREIGN) is None
        ini.write_text("[usherd]\nallowed_origins = a.example\n")
        usherd.reload()
        eventually(lambda: verdict(usherd, public, origin=FOREIGN) == REFUSED,
                   what="the list")
        ini.write_text("[usherd]\nallowed_origins = localhost:8000\n")
        start = len(usherd.log())
        usherd.reload()
        usherd.wait_log('allowed_origins cannot have "localhost:8000"',
                        start=start)
        assert verdict(usherd, public, origin=FOREIGN) == REFUSED
        ini.write_text("[usherd]\nallowed_origins = *\n")
        usherd.reload()
        usherd.wait_log(r'allowed_origins has "\*": any page', start=start)
        assert verdict(usherd, public, origin=FOREIGN) is None
        for origin in (FOREIGN, None):
            assert asked_for_its_cookie(verdict(
                usherd, public, headers=COOKIE, origin=origin))
    finally:
        usherd.stop()
        usherd.remove()


# ---- how and when -------------------------------------------------------

def test_the_database_is_not_asked_about_a_foreign_page(site, public):
    """It cannot be: there is none."""
    usherd = Usherd("host=/nonexistent", **{**QUICK, "auth_timeout": "60s"})
    usherd.start(wait=False)
    try:
        eventually(lambda: answers(usherd), what="a listener")
        assert verdict(usherd, public, headers=COOKIE,
                       origin=FOREIGN) == REFUSED
        assert verdict(usherd, public, headers=COOKIE) == \
            (403, "origin_not_allowed")
    finally:
        usherd.stop()
        usherd.remove()


def answers(usherd):
    try:
        return usherd.get("/healthz").status == 200
    except OSError:
        return False


def test_a_refused_page_may_be_told_so_in_http(start_usherd, public):
    usherd = start_usherd(refusal="http", allowed_origins="a.example")
    response = ask(usherd, head(f"/ws/{public}", add=[("Origin", FOREIGN)]))
    assert response.status == 403
    assert json.loads(response.body) == {
        "code": 4403, "reason": "origin_not_allowed",
        "detail": "Pages of this origin may not connect here."}
    assert "www-authenticate" not in response.headers


def test_health_is_told_to_any_page(listed):
    for path in ("/healthz", "/readyz"):
        assert listed.get(path, headers={"Origin": FOREIGN}).status == 200


@pytest.mark.parametrize("patterns, instead", [
    ("localhost:8000", "http://host:port"),
    ("a.example, *.b.example", '".example.com"'),
    ("https://a.example/ws", "path"), ("wss://a.example", "https://"),
    ("a.example,", "comma")])
def test_startup_refuses_a_pattern_that_can_never_match(patterns, instead):
    checked = subprocess.run(
        [Usherd.binary(), "--check", f"--allowed-origins={patterns}"],
        capture_output=True, text=True, timeout=30)
    assert checked.returncode != 0
    assert "allowed_origins cannot have" in checked.stderr
    assert instead in checked.stderr
