"""Whatever comes in: a clear answer, no crash, no leak, nobody disturbed.

Around every test stands a witness: a member of a group of his own, who must
hear the next broadcast and nothing else, on the same process as before; and
the log, at level debug, must not show a credential.
"""
import json
import multiprocessing
import os
import random
import resource
import select
import socket
import time

import pytest
from harness import Usherd, eventually, free_port
from harness.client import Client, Refused
from harness.raw import BINARY, TEXT, frame_bytes
from support_wire import (KEY, QUICK, Certificate, PlainUsherd,
                          ValgrindUsherd, Witness, ask, assert_no_secret,
                          broadcast_text, head, memory_kb,
                          raise_descriptor_limit, settle)

SEED = int(os.environ.get("SEED", "20241"))
HALF_OPEN = 10_000
WRONG_TOKENS = 100_000


@pytest.fixture(scope="module")
def listener(site):
    with Usherd(site.conninfo(), **QUICK) as usherd:
        yield usherd


@pytest.fixture(autouse=True)
def witness(request, listener, sql, number, make_token):
    token = make_token()
    pid = listener.pid
    start = len(listener.log())
    witness = Witness(listener, sql, f"app_{number}.witness", token)
    yield witness
    assert listener.pid == pid and listener.is_running()
    witness.check()
    witness.close()
    listener.check_log()
    assert_no_secret(listener.log()[start:], token)


def answers(listener, requests, deadline_s=10, finish=False):
    """Send each request on a connection of its own, all at once; what came
    back on each until the listener ended it, b"" when nothing did.

    finish: also send FIN, as somebody who gives up politely.
    """
    raws = []
    try:
        for request in requests:
            raw = listener.raw(deadline_s=deadline_s)
            raws.append(raw)
            try:
                raw.send(request)
                if finish:
                    raw.socket.shutdown(socket.SHUT_WR)
            except (ConnectionResetError, BrokenPipeError):
                pass
        got = []
        for raw in raws:
            if b"101 Switching" not in raw.buffer:
                assert raw.ended(deadline_s), raw.buffer
            got.append(raw.buffer)
        return got
    finally:
        for raw in raws:
            raw.close()


def status_of(answer):
    """The status of a whole HTTP response; its body is JSON with a reason."""
    assert answer.startswith(b"HTTP/1.1 "), answer
    top, body = answer.split(b"\r\n\r\n", 1)
    assert json.loads(body)["reason"]
    assert f"Content-Length: {len(body)}".encode() in top
    return int(answer.split(b" ", 2)[1])


# ---- request heads ------------------------------------------------------

def test_random_bytes_are_answered_400_or_408(listener):
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    heads = [chance.randbytes(chance.randrange(1, 2000)) + b"\r\n\r\n"
             for _ in range(150)]
    statuses = set(map(status_of, answers(listener, heads)))
    assert statuses <= {400, 505}, statuses


def test_a_mutated_head_is_answered_or_ended(listener):
    """One to four bytes of a good head are changed, lost or doubled."""
    chance = random.Random(SEED + 1)
    print(f"seed {SEED}")
    good = head("/ws/nowhere_1?session_key=abc", add=[
        ("Authorization", "Basic YTpi"), ("User-Agent", "test")])
    heads = []
    for _ in range(400):
        one = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(one))
            what = chance.randrange(3)
            if what == 0:
                one[at] = chance.randrange(256)
            elif what == 1:
                del one[at]
            else:
                one[at:at] = one[at:at + chance.randrange(1, 40)]
        heads.append(bytes(one))
    statuses = set(map(status_of, answers(listener, heads)))
    assert statuses <= {400, 401, 403, 404, 405, 408, 426, 431, 505}
    assert {400, 401, 404} <= statuses


def test_a_head_that_stops_anywhere_is_408_when_its_time_is_over(listener):
    good = head("/ws/app_1?session_key=abc")
    cuts = [good[:n] for n in range(1, len(good), 3)]
    started = time.monotonic()
    assert set(map(status_of, answers(listener, cuts))) == {408}
    assert time.monotonic() - started > 0.6     # header_timeout is 700 ms


def test_a_head_that_stops_with_the_connection_costs_nothing(listener):
    good = head("/ws/app_1?session_key=abc")
    cuts = [good[:n] for n in range(0, len(good), 5)]
    assert set(answers(listener, cuts, finish=True)) <= {b""}


def test_headers_of_100_kb_are_431(listener):
    one = head(add=[("X-Long", "y" * 100_000)])
    many = head(add=[(f"X-{i}", "y" * 1000) for i in range(100)])
    endless = head()[:-4] + b"\r\nX-Long: " + b"z" * 100_000
    target = head("/ws/" + "a" * 100_000)
    for request in (one, many, endless, target):
        with listener.raw() as raw:
            raw.send(request)
            # Read to its end without a reset, which may cost a client on the
            # other side of the world the answer.
            answer = b""
            while data := raw.socket.recv(4096):
                answer += data
            assert status_of(answer) == 431


def test_more_headers_than_anybody_needs_are_431(listener):
    request = head(add=[(f"X-{i}", "1") for i in range(200)])
    assert ask(listener, request).status == 431


def test_who_drips_his_head_is_ended_all_the_same(listener):
    """Each byte resets no clock."""
    with listener.raw() as raw:
        started = time.monotonic()
        for byte in head("/ws/app_1"):
            try:
                raw.send(bytes([byte]))
            except (ConnectionResetError, BrokenPipeError):
                break
            raw.socket.settimeout(0.05)
            try:
                if not raw._fill() or b"\r\n\r\n" in raw.buffer:
                    break
            except socket.timeout:
                pass
        assert 0.6 < time.monotonic() - started < 5
        raw.socket.settimeout(3)
        assert status_of(b"".join(iter(lambda: _rest(raw), b""))) == 408


def _rest(raw):
    data, raw.buffer = raw.buffer, b""
    return data or raw.socket.recv(4096)


WRONG_HEADS = {
    "HTTP/1.0": (head(version="HTTP/1.0"), 400),
    "HTTP/1.0 without an upgrade":
        (b"GET /ws/app_1 HTTP/1.0\r\n\r\n", 426),
    "HTTP/2.0": (head(version="HTTP/2.0"), 505),
    "HTTP/0.9": (b"GET /ws/app_1\r\n\r\n", 400),
    "the preface of HTTP/2":
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9, 505),
    "a version that is none": (head(version="HTTP/1.1 x"), 400),
    "POST": (head(method="POST"), 405),
    "POST with a body": (head(method="POST", add=[
        ("Content-Length", "5")]) + b"hello", 405),
    "a method in small letters": (head(method="get"), 405),
    "a method that is none": (head(method="G ET"), 400),
    "an absolute target": (head("http://127.0.0.1/ws/app_1"), 400),
    "no target": (head(""), 400),
    "a target with an anchor": (head("/ws/app_1#x"), 400),
    "a NUL in the target": (head("/ws/app_1\0"), 400),
    "a raw byte above ASCII in the target": (head(b"/ws/app_\xff"), 400),
    "upgrade to h2c": (head(Upgrade="h2c", add=[
        ("HTTP2-Settings", "AAMAAABkAAQAAP__")],
        Connection="Upgrade, HTTP2-Settings"), 426),
    "no Upgrade": (head(drop=["Upgrade"]), 426),
    "no Connection": (head(drop=["Connection"]), 400),
    "Connection without upgrade": (head(Connection="keep-alive"), 400),
    "no Host": (head(drop=["Host"]), 400),
    "no version": (head(drop=["Sec_WebSocket_Version"]), 426),
    "version 8": (head(Sec_WebSocket_Version="8"), 426),
    "version 13.0": (head(Sec_WebSocket_Version="13.0"), 426),
    "no key": (head(drop=["Sec_WebSocket_Key"]), 400),
    "a short key": (head(Sec_WebSocket_Key="AAAA"), 400),
    "a key of 17 bytes": (head(Sec_WebSocket_Key="A" * 23 + "="), 400),
    "a key that is no base64": (head(Sec_WebSocket_Key="!" * 22 + "=="), 400),
    "an empty key": (head(Sec_WebSocket_Key=""), 400),
    "two keys": (head(Sec_WebSocket_Key=[KEY, KEY]), 400),
    "two versions": (head(Sec_WebSocket_Version=["13", "13"]), 400),
    "two Hosts": (head(Host=["a", "b"]), 400),
    "a subprotocol that is no token": (head(add=[
        ("Sec-WebSocket-Protocol", "chat, usher.auth.YQ==")]), 400),
    "two Authorizations": (head(add=[("Authorization", "Token abc")] * 2),
                           400),
    "a body": (head(add=[("Content-Length", "10")]), 400),
    "a chunked body": (head(add=[("Transfer-Encoding", "chunked")]), 400),
    "a folded header": (head(add=[("X", "a\r\n b")]), 400),
    "a blank before the colon": (head(add=[("X ", "a")]), 400),
    "a header without a name": (head(add=[("", "a")]), 400),
    "a header without a colon": (head()[:-2] + b"nonsense\r\n\r\n", 400),
    "a NUL in a header": (head(add=[("X", "a\0b")]), 400),
    "a bare line feed": (head().replace(b"\r\n", b"\n"), 400),
    "a bare carriage return": (head(add=[("X", "a\rY: b")]), 400),
}


@pytest.mark.parametrize("request_bytes, status", WRONG_HEADS.values(),
                         ids=WRONG_HEADS.keys())
def test_a_wrong_head_gets_its_status(request_bytes, status, listener):
    assert status_of(answers(listener, [request_bytes])[0]) == status


@pytest.mark.parametrize("group", [
    "a b", "a%20b", "app_1%00", "app_1;x", "äpp_1", "app_1/2", "..",
    "*", "app_1,app_2", "a" * 100, "app%5F1", "app_1'--", "\"app_1\""])
def test_a_group_name_outside_the_rule_is_answered_4xx(group, listener):
    if group == "..":
        expected = (401, "no_credentials")  # periods are letters of names
    elif " " in group or "ä" in group:
        expected = (400, "malformed_request")
    else:
        expected = (404, "invalid_group")
    response = ask(listener, head("/ws/" + group))
    assert (response.status, json.loads(response.body)["reason"]) == expected


# ---- credentials --------------------------------------------------------

KEYS = {
    "a NUL in the header":
        ({"add": [("Authorization", b"Token abc\0def")]}, 400,
         "malformed_request"),
    "invalid UTF-8 in the header":
        ({"add": [("Authorization", b"Token abc\xffdef")]}, 401,
         "invalid_characters"),
    "half a character in the header":
        ({"add": [("Authorization", b"Token abc\xc3")]}, 401,
         "invalid_characters"),
    "other letters in the header":
        ({"add": [("Authorization", "Token ключ".encode())]}, 401,
         "unknown_token"),
    "a NUL in the query":
        ({"query": "session_key=abc%00def"}, 401, "unknown_session"),
    "nothing but a NUL in the query":
        ({"query": "session_key=%00"}, 401, "unknown_session"),
    "invalid UTF-8 in the query":
        ({"query": "session_key=abc%ff"}, 401, "invalid_characters"),
    "a surrogate in the query":
        ({"query": "session_key=%ed%a0%80"}, 401, "invalid_characters"),
    "other letters in the query":
        ({"query": "session_key=%d0%ba"}, 401, "unknown_session"),
    "a long key in the header":
        ({"add": [("Authorization", "Token " + "a" * 15000)]}, 401,
         "unknown_token"),
    "8 kB in the header":
        ({"add": [("Authorization", "Token " + "a" * 8192)]}, 401,
         "unknown_token"),
    "a long key in the query":
        ({"query": "session_key=" + "a" * 15000}, 401, "unknown_session"),
    "8 kB in the query":
        ({"query": "session_key=" + "a" * 8192}, 401, "unknown_session"),
    "SQL in the header":
        ({"add": [("Authorization", "Token ';SELECT(1)--")]}, 401,
         "unknown_token"),
    "SQL in the query":
        ({"query": "session_key=%27%3bSELECT%281%29--"}, 401,
         "unknown_session"),
}


@pytest.mark.parametrize("how, status, reason", KEYS.values(),
                         ids=KEYS.keys())
def test_a_strange_key_is_refused_with_its_reason(how, status, reason,
                                                  listener):
    """The group lets anybody in: a bad key is still refused."""
    target = "/ws/public_1?" + how.get("query", "")
    response = ask(listener, head(target, add=how.get("add", ())))
    assert response.status == status
    assert json.loads(response.body)["reason"] == reason


def test_random_keys_are_401(listener):
    chance = random.Random(SEED + 2)
    print(f"seed {SEED}")
    requests = []
    for _ in range(200):
        key = chance.randbytes(chance.randrange(1, 300))
        if chance.random() < 0.5:
            key = key.translate(None, bytes(range(32)) + b"\x7f ")
            requests.append(head("/ws/public_1", add=[
                ("Authorization", b"Token " + (key or b"x"))]))
        else:
            quoted = "".join(f"%{byte:02x}" for byte in key)
            requests.append(head(f"/ws/public_1?session_key={quoted}"))
    assert set(map(status_of, answers(listener, requests))) == {401}


# ---- after it is open ---------------------------------------------------

def test_garbage_in_an_open_connection_is_closed_with_a_code(
        listener, token, group, sql):
    """The group may not be sent to, so that a frame that is right by chance
    says 4403."""
    chance = random.Random(SEED + 3)
    print(f"seed {SEED}")
    codes = set()
    for _ in range(120):
        with listener.raw() as raw:
            raw.upgrade("/ws/public_1")
            # No end of a close frame may be waited for.
            raw.send(chance.randbytes(chance.randrange(200, 3000)))
            frame = raw.read_frame()
            if frame.opcode != 8:
                continue    # a ping by chance
            codes.add(int.from_bytes(frame.payload[:2], "big"))
            assert raw.ended(5)
    assert codes <= {1002, 1007, 1009, 4403}, codes
    assert 1002 in codes


def test_mutated_frames_disturb_nobody(listener, token, group, make_token):
    """A good conversation with some bytes changed: it goes on, or ends with
    a code; the witness stands by."""
    chance = random.Random(SEED + 4)
    print(f"seed {SEED}")
    good = (frame_bytes(TEXT, "hello") + frame_bytes(9, b"ping")
            + frame_bytes(TEXT, "a", fin=False)
            + frame_bytes(0, "b" * 300, fin=False) + frame_bytes(10, b"")
            + frame_bytes(0, "c") + frame_bytes(BINARY, os.urandom(200)))
    for _ in range(100):
        frames = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(frames))
            if chance.random() < 0.7:
                frames[at] = chance.randrange(256)
            else:
                del frames[at]
        with listener.raw() as raw:
            raw.upgrade(f"/ws/{group}", [("Authorization",
                                          f"Token {token}")])
            raw.send(bytes(frames))
            raw.socket.shutdown(socket.SHUT_WR)
            assert raw.ended(5)
            while raw.buffer:
                # What was answered is frames, to the last byte.
                if raw.read_frame().opcode == 8:
                    assert raw.buffer == b""


# ---- very many ----------------------------------------------------------

def _guess_tokens(port, source, count, results):
    """In a process of its own: that many wrong tokens, 100 connections at a
    time; tells how many were answered 401."""
    refused = 0
    key = f"Sec-WebSocket-Key: {KEY}\r\n"
    common = ("GET /ws/app_1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
              f"Connection: Upgrade\r\n{key}Sec-WebSocket-Version: 13\r\n")
    for start in range(0, count, 100):
        batch = []
        for i in range(start, min(start + 100, count)):
            one = socket.socket()
            one.bind((source, 0))
            one.connect(("127.0.0.1", port))
            one.sendall(f"{common}Authorization: Token {source[-1]}{i:039x}"
                        "\r\n\r\n".encode())
            batch.append(one)
        for one in batch:
            one.settimeout(20)
            answer = one.recv(4096)
            refused += answer.startswith(b"HTTP/1.1 401 ") \
                and b"unknown_token" in answer
            # No TIME_WAIT: there are fewer ports than tokens.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           b"\1\0\0\0\0\0\0\0")
            one.close()
    results.put(refused)


def guess_tokens(port, count):
    """Wrong tokens from two processes; returns how many were refused."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    guessers = [context.Process(target=_guess_tokens,
                                args=(port, source, count // 2, results))
                for source in ("127.0.0.2", "127.0.0.3")]
    for guesser in guessers:
        guesser.start()
    refused = sum(results.get() for _ in guessers)
    for guesser in guessers:
        guesser.join()
    return refused


def test_100_000_wrong_tokens_are_refused_and_cost_no_memory(
        site, sql, token, number):
    """Memory is that of usherd and of the backends that it asks.  Reports,
    whose functions a backend loads when it is first asked, are left out."""
    with PlainUsherd(site.conninfo() + " application_name=guessed",
                     log_level="warning", report_interval="10min",
                     lease="1h") as usherd:
        member = Witness(usherd, sql, f"app_{number}.in", token)
        backends = [int(pid) for pid in sql(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'guessed'").split()]
        assert backends

        def memory():
            settle(usherd.pid)
            return [memory_kb(usherd.pid)] + \
                [memory_kb(pid, "RssAnon") for pid in backends]

        first = WRONG_TOKENS // 10
        assert guess_tokens(usherd.port, first) == first
        before = memory()
        rest = WRONG_TOKENS - first
        assert guess_tokens(usherd.port, rest) == rest
        after = memory()
        member.check()
        member.close()
        grown = [b - a for a, b in zip(before, after)]
        print(f"grown by {grown} kB, from {before} kB")
        assert max(grown) < 1024
        assert usherd.get_json("/healthz")["connections"] <= 2


def test_10_000_half_open_connections_are_ended_and_members_hear_all(
        site, sql, token, number):
    raise_descriptor_limit(HALF_OPEN + 500)
    with Usherd(site.conninfo(), header_timeout="6s") as usherd:
        member = Witness(usherd, sql, f"app_{number}.in", token)
        half = head("/ws/app_1")[:60]
        sockets = []
        try:
            for i in range(HALF_OPEN - 10):
                one = socket.socket()
                one.bind((f"127.0.0.{2 + i % 2}", 0))
                one.connect(("127.0.0.1", usherd.port))
                if i % 2:
                    one.sendall(half)
                sockets.append(one)
            eventually(lambda: usherd.get_json("/healthz")["connections"]
                       > HALF_OPEN - 100)
            for _ in range(20):
                member.check()
            with usherd.connect(f"app_{number}.in", token):
                member.check()
            silent = half_said = 0
            for i, one in enumerate(sockets):
                one.settimeout(20)
                try:
                    answer = one.recv(4096)
                except ConnectionResetError:
                    answer = b""
                silent += answer == b""
                half_said += answer.startswith(b"HTTP/1.1 408 ")
            assert (silent, half_said) == (len(sockets) // 2,
                                           len(sockets) // 2)
        finally:
            for one in sockets:
                one.close()
        eventually(lambda: usherd.get_json("/healthz")["connections"] <= 3)
        member.check()
        member.close()


def test_more_half_open_connections_than_allowed_are_ended_at_once(
        start_usherd, sql, token, number):
    usherd = start_usherd(max_unauthenticated=20, header_timeout="3s")
    member = Witness(usherd, sql, f"app_{number}.in", token)
    raws = [usherd.raw() for _ in range(30)]
    try:
        def ended():
            return len(select.select([raw.socket for raw in raws], [], [],
                                     0)[0])
        # Long before the others' time is over.
        eventually(lambda: ended() == 10, 2)
        member.check()
        assert ended() == 10
        # When it is, there is room again.
        assert all(raw.ended(5) for raw in raws)
        with usherd.connect(f"app_{number}.in", token):
            pass
    finally:
        for raw in raws:
            raw.close()
        member.close()


def test_at_the_limit_of_descriptors_members_hear_all_and_no_core_burns(
        start_usherd, sql, token, number):
    usherd = start_usherd(header_timeout="20s")
    member = Witness(usherd, sql, f"app_{number}.in", token)
    resource.prlimit(usherd.pid, resource.RLIMIT_NOFILE, (60, 60))
    raws = [usherd.raw() for _ in range(100)]
    try:
        usherd.wait_log("raise the limit of open files")
        settle(usherd.pid, 5)
        member.check()
        assert usherd.log().count("raise the limit of open files") == 1
    finally:
        for raw in raws:
            raw.close()
    with usherd.connect(f"app_{number}.in", token):
        member.check()
    member.close()


# ---- under valgrind -----------------------------------------------------

def test_valgrind_finds_no_error_and_no_leak(site, sql, token, group,
                                             tmp_path):
    port = free_port()
    certificate = Certificate(tmp_path)
    usherd = ValgrindUsherd(site.conninfo(), **{**QUICK, "auth_timeout": "9s",
                                                "header_timeout": "5s"},
                            **certificate.settings(port))
    usherd.start(deadline_s=60)
    try:
        with usherd.connect(group, token, deadline_s=30) as client, \
                Client(f"wss://127.0.0.1:{port}/ws/{group}",
                       {"Authorization": f"Token {token}"},
                       tls=certificate.context(check_hostname=False),
                       deadline_s=30) as secure:
            client.send("x" * 60000)
            assert len(secure.receive()) == 60000
            assert len(client.receive()) == 60000
            broadcast_text(sql, group, "y")
            assert client.receive() == secure.receive() == "y"
            secure.abort()
            with pytest.raises(Refused):
                usherd.connect(group, "0" * 40, deadline_s=30)
            with usherd.raw(deadline_s=30) as raw:
                raw.upgrade(f"/ws/{group}", [("Authorization",
                                              f"Token {token}")])
                raw.frame(TEXT, "cut", fin=False)
                raw.frame(3, "reserved")
                assert raw.read_close()[0] == 1002
            # Some are left open, in every state.
            left = [usherd.raw(), usherd.raw()]
            left[0].send(head()[:50])
            usherd.reload()
            usherd.wait_log("settings: reloaded", 30)
            sql(f"DELETE FROM authtoken_token WHERE key = '{token}'")
            assert client.wait_close(30).code == 4410
            open_to_the_end = usherd.raw(deadline_s=30)
            open_to_the_end.upgrade("/ws/public_1")
        status = usherd.stop(deadline_s=60)
        for raw in (*left, open_to_the_end):
            raw.close()
        assert status == 0, usherd.log()[-6000:]
    finally:
        usherd.stop(60)
        usherd.remove()
