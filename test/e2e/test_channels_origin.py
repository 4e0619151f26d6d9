"""Channels' own AllowedHostsOriginValidator and usherd, asked about the same
origins with the same patterns."""
import asyncio
import json
import subprocess

import pytest
from harness import Usherd
from harness.client import Client, Closed, Refused
from harness.process import REPO
from websockets.exceptions import InvalidState

CASES = [case for case in json.loads(
    (REPO / "test/vectors/vectors.json").read_text())["cases"]
    if case["kind"] == "origin"]


def by_patterns():
    """{patterns: cases}: a listener is started once for each list."""
    lists = {}
    for case in CASES:
        lists.setdefault(tuple(case["input"]["allowed_origins"]),
                         []).append(case)
    return lists


def channels_allows(patterns, origin):
    from channels.security.websocket import AllowedHostsOriginValidator
    from django.test import override_settings
    entered = []

    async def application(scope, receive, send):
        entered.append(scope)

    events = iter(["websocket.connect", "websocket.disconnect"])

    async def receive():
        return {"type": next(events), "code": 1000}

    async def send(message):
        assert message["type"] == "websocket.close"

    headers = [] if origin is None else [(b"origin", origin.encode())]
    with override_settings(ALLOWED_HOSTS=list(patterns), DEBUG=False):
        try:
            asyncio.run(AllowedHostsOriginValidator(application)(
                {"type": "websocket", "headers": headers}, receive, send))
        except ValueError:      # a port that is none: HTTP 500, nobody enters
            assert not entered
    return bool(entered)


def usherd_allows(usherd, group, cookie, origin):
    """By cookie, since that is what an Origin is asked for."""
    headers = [("Cookie", f"sessionid={cookie}")]
    if origin is not None:
        headers.append(("Origin", origin))
    try:
        client = Client(usherd.url(group), headers)
    except Refused as refused:
        assert refused.json()["reason"] == "origin_not_allowed"
        return False
    with client:
        try:
            client.ping()
            return True
        except (Closed, InvalidState):  # the close came before or after it
            assert client.wait_close() == (4403, "origin_not_allowed")
            return False


def is_refused_at_start(patterns):
    """Patterns that could never match are not accepted in the first place."""
    checked = subprocess.run(
        [Usherd.binary(), "--check",
         f"--allowed-origins={','.join(patterns)}"],
        capture_output=True, text=True, timeout=30)
    if checked.returncode != 0:
        assert "allowed_origins" in checked.stderr, checked.stderr
    return checked.returncode != 0


@pytest.fixture
def cookie(site, user):
    return site.browser().sign_in(
        user.username, user.username).cookies["sessionid"]


def test_channels_and_usherd_agree_on_every_origin(
        start_usherd, group, cookie):
    differing = []
    for patterns, cases in by_patterns().items():
        if is_refused_at_start(patterns):
            for case in cases:
                assert not channels_allows(
                    patterns, case["input"].get("origin")), case["name"]
            continue
        usherd = start_usherd(allowed_origins=",".join(patterns))
        for case in cases:
            origin = case["input"].get("origin")
            ours = usherd_allows(usherd, group, cookie, origin)
            assert ours == case["expect"]["valid"], case["name"]
            if ours != channels_allows(patterns, origin):
                differing.append((case["name"], case["level"]))
        usherd.stop()
    # Texts that no browser sends, and that Channels reads leniently.
    assert {level for _, level in differing} <= {"hardening"}, differing
    assert len(differing) == sum(case["level"] == "hardening"
                                 for case in CASES)
