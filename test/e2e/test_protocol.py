"""RFC 6455 over the wire, plain and TLS, frame by frame."""
import signal
import socket
import ssl
import struct
import time

import pytest
from harness import Usherd, eventually, free_port
from harness.raw import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT,
                         frame_bytes)
from support_wire import (Certificate, QUICK, ask, broadcast_text, head)

LIMIT = 64 * 1024   # max_message_bytes


@pytest.fixture(scope="module")
def listener(site):
    """So long a close_timeout that nothing ends by it here."""
    with Usherd(site.conninfo(), message_rate=0, max_message_bytes="64kB",
                **{**QUICK, "close_timeout": "60s"}) as usherd:
        yield usherd


@pytest.fixture
def join(listener, token, group):
    """join(): a new raw connection of the user, open in the group."""
    made = []

    def join(*behind):
        raw = listener.raw()
        made.append(raw)
        raw.send(head(f"/ws/{group}", add=[
            ("Authorization", f"Token {token}")]) + b"".join(behind))
        assert raw.response().status == 101
        return raw

    yield join
    for raw in made:
        raw.close()


@pytest.fixture
def raw(join):
    return join()


@pytest.fixture
def reader(listener, make_token, group):
    """Somebody else in the same group."""
    with listener.connect(group, make_token()) as reader:
        yield reader


def assert_fails(raw, code):
    """The listener closes with the code, and then the connection, without
    waiting for an answer (RFC 6455 7.1.7)."""
    assert raw.read_close()[0] == code
    assert raw.ended(5)


# ---- messages -----------------------------------------------------------

@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, LIMIT])
def test_text_of_any_length_comes_back_in_the_shortest_frame(raw, size):
    text = ("usher äöü €" * (size // 11 + 1)).encode()[:size]
    text = text.decode(errors="ignore").encode().ljust(size, b".")
    raw.frame(TEXT, text)
    lead = raw._take(2)
    assert lead[0] == 0x80 | TEXT
    length = lead[1]
    if size > 125:
        assert length == (126 if size < 65536 else 127)
        length = int.from_bytes(raw._take(2 if size < 65536 else 8), "big")
    assert length == size
    assert raw._take(size) == text


def test_binary_comes_back_as_it_was(raw):
    every_byte = bytes(range(256)) * 3
    raw.frame(BINARY, every_byte)
    frame = raw.read_frame()
    assert (frame.opcode, frame.payload) == (BINARY, every_byte)


def test_messages_keep_their_order(raw, reader):
    raw.send(b"".join(frame_bytes(TEXT, str(i)) for i in range(300)))
    assert [reader.receive() for _ in range(300)] == \
        [str(i) for i in range(300)]
    assert [int(raw.read_message()) for _ in range(300)] == list(range(300))


def test_frames_that_come_with_the_request_are_read(join, reader):
    raw = join(frame_bytes(TEXT, "one"), frame_bytes(PING, b"p"),
               frame_bytes(TEXT, "two"))
    assert [reader.receive(), reader.receive()] == ["one", "two"]
    got = [raw.read_frame() for _ in range(3)]
    assert sorted(frame.payload for frame in got) == [b"one", b"p", b"two"]


def test_a_refused_clients_early_frames_are_dropped(listener, reader, group):
    response = ask(listener, head(f"/ws/{group}")
                   + frame_bytes(TEXT, "early"))
    assert response.status == 401
    reader.receive_nothing(0.2)


def test_a_message_is_put_together_from_its_fragments(raw, reader):
    raw.frame(TEXT, "a", fin=False)
    raw.frame(CONTINUATION, "b", fin=False)
    raw.frame(CONTINUATION, "", fin=False)
    raw.frame(CONTINUATION, "c")
    assert reader.receive() == "abc"
    raw.frame(BINARY, b"\xff", fin=False)
    raw.frame(CONTINUATION, b"\x00")
    assert reader.receive() == b"\xff\x00"


def test_a_ping_between_fragments_is_answered_at_once(raw, reader):
    raw.frame(TEXT, "whole ", fin=False)
    raw.frame(PING, b"in between")
    frame = raw.read_frame()
    assert (frame.opcode, frame.payload) == (PONG, b"in between")
    raw.frame(PONG, b"nobody asked")
    raw.frame(CONTINUATION, "message")
    assert reader.receive() == "whole message"
    assert raw.read_message() == b"whole message"


def test_bytes_may_come_one_by_one(raw, reader):
    raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent = (frame_bytes(TEXT, "ä" * 70, fin=False) + frame_bytes(PING, b"1")
            + frame_bytes(CONTINUATION, "z"))
    for byte in sent:
        raw.send(bytes([byte]))
    assert reader.receive() == "ä" * 70 + "z"
    assert raw.read_frame().opcode == PONG


# ---- control frames -----------------------------------------------------

@pytest.mark.parametrize("size", [0, 1, 125])
def test_a_pong_says_what_the_ping_said(raw, size):
    raw.frame(PING, b"x" * size)
    frame = raw.read_frame()
    assert (frame.opcode, frame.payload) == (PONG, b"x" * size)


def test_pongs_keep_their_place(raw):
    raw.send(b"".join(frame_bytes(PING, str(i)) for i in range(50)))
    assert [raw.read_frame().payload for _ in range(50)] == \
        [str(i).encode() for i in range(50)]


def test_a_pong_nobody_asked_for_is_ignored(raw):
    raw.frame(PONG, b"unasked")
    raw.frame(PING, b"asked")
    assert raw.read_frame().payload == b"asked"


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000,
                                  4000, 4999])
def test_a_close_is_answered_with_its_own_code(raw, code):
    raw.frame(CLOSE, struct.pack("!H", code) + "tschüß".encode())
    frame = raw.read_frame()
    assert frame.opcode == CLOSE
    assert frame.payload == struct.pack("!H", code) + "tschüß".encode()
    assert raw.ended(3)


def test_an_empty_close_is_answered_with_an_empty_one(raw):
    raw.frame(CLOSE)
    assert raw.read_close() == (None, "")
    assert raw.ended(3)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999,
                                  5000, 65535])
def test_a_code_that_may_not_be_sent_is_a_protocol_error(raw, code):
    raw.frame(CLOSE, struct.pack("!H", code))
    assert_fails(raw, 1002)


def test_half_a_close_code_is_a_protocol_error(raw):
    raw.frame(CLOSE, b"\x03")
    assert_fails(raw, 1002)


def test_a_close_reason_that_is_no_utf8_is_1007(raw):
    raw.frame(CLOSE, b"\x03\xe8\xff")
    assert_fails(raw, 1007)


def test_what_comes_behind_a_close_is_not_read(raw, reader):
    raw.send(frame_bytes(CLOSE, b"\x03\xe8") + frame_bytes(TEXT, "late")
             + b"\xff" * 50)
    assert raw.read_close() == (1000, "")
    assert raw.ended(3)
    reader.receive_nothing(0.2)


def test_a_peer_that_never_answers_a_close_is_let_go(start_usherd, user,
                                                     token, group):
    usherd = start_usherd(close_timeout="500ms")
    with usherd.raw() as raw:
        raw.upgrade(f"/ws/{group}", {"Authorization": f"Token {token}"})
        user.auth_token.delete()
        assert raw.read_close()[0] == 4410
        started = time.monotonic()
        assert raw.ended(5)
        assert time.monotonic() - started > 0.3


def test_what_a_member_says_while_he_is_closed_reaches_nobody(raw, reader,
                                                              user):
    user.auth_token.delete()
    assert raw.read_close()[0] == 4410
    raw.frame(TEXT, "one last thing")
    raw.frame(CLOSE, b"\x11\x3a")
    assert raw.ended(3)
    reader.receive_nothing(0.2)


# ---- what is refused ----------------------------------------------------

WRONG = {
    "an unmasked frame": frame_bytes(TEXT, "x", mask=False),
    "an unmasked ping": frame_bytes(PING, b"", mask=False),
    "reserved bit 1": frame_bytes(TEXT, "x", rsv=4),
    "reserved bit 2": frame_bytes(BINARY, "x", rsv=2),
    "reserved bit 3": frame_bytes(PING, "x", rsv=1),
    **{f"opcode {code}": frame_bytes(code, "x")
       for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a fragmented ping": frame_bytes(PING, "x", fin=False),
    "a fragmented close": frame_bytes(CLOSE, b"\x03\xe8", fin=False),
    "a ping of 126 bytes": frame_bytes(PING, "x" * 126),
    "a continuation of nothing": frame_bytes(CONTINUATION, "x"),
    "a message within another": frame_bytes(TEXT, "x", fin=False)
    + frame_bytes(TEXT, "y"),
    "a length in more bytes than it needs":
        frame_bytes(TEXT, "x", length_bytes=2),
    "a length in far more bytes": frame_bytes(TEXT, "x" * 200,
                                              length_bytes=8),
    "a length of 2^63": frame_bytes(TEXT, "", length=1 << 63,
                                    length_bytes=8),
    "a length of 2^64 - 1": frame_bytes(BINARY, "", length=(1 << 64) - 1,
                                        length_bytes=8),
}


@pytest.mark.parametrize("frames", WRONG.values(), ids=WRONG.keys())
def test_a_frame_against_the_protocol_is_1002_and_ends_it(raw, reader,
                                                          frames):
    raw.send(frames + frame_bytes(TEXT, "not read any more"))
    assert_fails(raw, 1002)
    reader.ping()
    assert not reader.messages


TOO_BIG = {
    "one byte too many": frame_bytes(TEXT, "x" * (LIMIT + 1)),
    "a length of 2^40, and no payload yet":
        frame_bytes(BINARY, "", length=1 << 40, length_bytes=8),
    "a length of 2^63 - 1":
        frame_bytes(BINARY, "", length=(1 << 63) - 1, length_bytes=8),
    "fragments that pass the limit together":
        frame_bytes(TEXT, "x" * LIMIT, fin=False)
        + frame_bytes(CONTINUATION, "y"),
    "small fragments without end":
        frame_bytes(BINARY, b"", fin=False)
        + frame_bytes(CONTINUATION, b"z" * 1000, fin=False) * 66,
}


@pytest.mark.parametrize("frames", TOO_BIG.values(), ids=TOO_BIG.keys())
def test_a_message_over_the_limit_is_1009(raw, reader, frames):
    raw.send(frames)
    assert_fails(raw, 1009)
    reader.ping()
    assert not reader.messages


NOT_UTF8 = {
    "a byte that starts nothing": b"ab\xffcd",
    "a lone continuation": b"\x80",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "a character above the last": b"\xf4\x90\x80\x80",
    "a character cut at the end": b"caf\xc3",
}


@pytest.mark.parametrize("payload", NOT_UTF8.values(), ids=NOT_UTF8.keys())
def test_text_that_is_no_utf8_is_1007(raw, reader, payload):
    raw.frame(TEXT, payload)
    assert_fails(raw, 1007)
    reader.ping()
    assert not reader.messages


def test_text_is_refused_at_its_first_wrong_byte(raw):
    """The rest of the message, still to come, does not matter."""
    raw.frame(TEXT, b"fine \xe2\x82", fin=False)
    raw.frame(PING, b"so far good")
    assert raw.read_frame().payload == b"so far good"
    raw.frame(CONTINUATION, b"x", fin=False)
    assert_fails(raw, 1007)


def test_a_character_may_be_split_over_frames(raw, reader):
    euro = "€".encode()
    for i, byte in enumerate(euro):
        raw.frame(CONTINUATION if i else TEXT, bytes([byte]), fin=i == 2)
    assert reader.receive() == "€"


def test_a_nul_in_text_is_1007_and_in_binary_fine(join, reader):
    """PostgreSQL's text cannot hold it."""
    good, bad = join(), join()
    good.frame(BINARY, b"a\0b")
    assert reader.receive() == b"a\0b"
    bad.frame(TEXT, b"a\0b")
    assert bad.read_close()[0] == 1007
    bad.frame(CLOSE, b"\x03\xef")
    assert bad.ended(3)


def test_one_who_may_not_send_is_closed_4403(listener, site, user, token):
    with listener.connect(f"user_{user.pk}", token) as client:
        client.send("to myself")
        close = client.wait_close()
        assert (close.code, close.reason) == (4403, "not_allowed")


# ---- the end of the stream ----------------------------------------------

def test_a_half_closed_connection_is_ended(raw, reader):
    raw.frame(TEXT, "last words")
    assert reader.receive() == "last words"
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.ended(3)


def test_a_reset_connection_leaves_its_group(listener, raw, reader, group,
                                             sql):
    before = listener.get_json("/healthz")["connections"]
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          b"\1\0\0\0\0\0\0\0")
    raw.close()
    eventually(lambda: listener.get_json("/healthz")["connections"] < before)
    broadcast_text(sql, group, "for those still here")
    assert reader.receive() == "for those still here"


# ---- TLS ----------------------------------------------------------------

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("tls"))


class Tls:
    """A listener with a plain and a TLS port, and what is trusted."""

    def __init__(self, site, certificate):
        self.port = free_port()
        self.certificate = certificate
        self.usherd = Usherd(site.conninfo(), **QUICK,
                             **certificate.settings(self.port))

    def wrap(self, name=None, **options):
        """A TLS connection."""
        context = self.certificate.context(**options)
        return self.wrap_in(context, name)

    def wrap_in(self, context, name=None):
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        try:
            return context.wrap_socket(
                plain, server_hostname=name or self.certificate.name)
        except BaseException:
            plain.close()
            raise

    def connect(self, group, token):
        from harness.client import Client
        context = self.certificate.context(check_hostname=False)
        return Client(f"wss://127.0.0.1:{self.port}/ws/{group}",
                      {"Authorization": f"Token {token}"}, tls=context)


@pytest.fixture(scope="module")
def tls(site, certificate):
    tls = Tls(site, certificate)
    with tls.usherd:
        yield tls


def test_a_message_passes_through_tls_both_ways(tls, token, group, sql):
    with tls.connect(group, token) as client, \
            tls.usherd.connect(group, token) as plain:
        client.send("x" * LIMIT)
        assert plain.receive() == "x" * LIMIT
        assert client.receive() == "x" * LIMIT
        broadcast_text(sql, group, "y")
        assert client.receive() == plain.receive() == "y"


@pytest.mark.parametrize("size", [10, 3000])
def test_no_message_stays_behind_in_a_tls_record(tls, token, group, size):
    """They come with the request, in a few large records; reading is paused
    meanwhile, and again whenever the database has enough to do."""
    sent = [f"{i}".ljust(size, ".") for i in range(150)]
    with tls.wrap() as connection:
        raw = tls.usherd.raw()
        raw.close()
        raw.socket = connection
        raw.send(head(f"/ws/{group}", add=[
            ("Authorization", f"Token {token}")])
            + b"".join(frame_bytes(TEXT, text) for text in sent))
        assert raw.response().status == 101
        assert [raw.read_message().decode() for _ in sent] == sent


def test_a_refusal_passes_through_tls(tls, group):
    with tls.wrap() as connection:
        connection.sendall(head(f"/ws/{group}"))
        answer = b""
        while True:
            data = connection.recv(4096)
            if not data:
                break
            answer += data
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_from_1_2_on_is_spoken(tls, version):
    version = ssl.TLSVersion[version]
    with tls.wrap(minimum_version=version,
                  maximum_version=version) as connection:
        assert connection.version().replace(".", "_") == version.name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_tls_before_1_2_is_refused(tls, version):
    context = tls.certificate.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion[version]
    with pytest.raises(ssl.SSLError) as refused:
        tls.wrap_in(context)
    assert refused.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_http_1_1_is_what_alpn_agrees_on(tls):
    context = tls.certificate.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tls.wrap_in(context) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"


def test_h2_alone_is_not_agreed_on(tls):
    context = tls.certificate.context()
    context.set_alpn_protocols(["h2"])
    try:
        with tls.wrap_in(context) as connection:
            assert connection.selected_alpn_protocol() is None
    except ssl.SSLError as refused:
        assert refused.reason == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"


def test_plain_http_on_the_tls_port_is_ended(tls, token, group):
    with socket.create_connection(("127.0.0.1", tls.port), 10) as plain:
        plain.sendall(head(f"/ws/{group}"))
        plain.settimeout(3)
        answer = b""
        try:
            while data := plain.recv(4096):
                answer += data
        except ConnectionResetError:
            pass
    assert b"HTTP" not in answer
    with tls.connect(group, token):
        pass


def test_an_unfinished_tls_handshake_is_ended(tls):
    with socket.create_connection(("127.0.0.1", tls.port), 10) as plain:
        plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        plain.settimeout(5)
        try:
            assert plain.recv(4096) == b""
        except ConnectionResetError:
            pass


def test_a_new_certificate_is_served_after_sighup_and_nobody_leaves(
        tls, token, group, sql):
    with tls.connect(group, token) as before:
        tls.certificate.renew("two.example")
        start = len(tls.usherd.log())
        tls.usherd.reload()
        tls.usherd.wait_log("settings: reloaded", start=start)
        with tls.wrap("two.example"):
            pass
        with pytest.raises(ssl.SSLCertVerificationError):
            tls.wrap("one.example")
        broadcast_text(sql, group, "on both")
        assert before.receive() == "on both"


def test_a_wrong_pair_is_not_taken_at_a_reload(tls, tmp_path):
    good = tls.certificate.key.read_bytes()
    name = tls.certificate.name
    try:
        other = Certificate(tmp_path, "three.example")
        tls.certificate.key.write_bytes(other.key.read_bytes())
        start = len(tls.usherd.log())
        tls.usherd.reload()
        tls.usherd.wait_log("tls_key does not belong to tls_certificate",
                            start=start)
        with tls.wrap(name):
            pass
    finally:
        tls.certificate.key.write_bytes(good)
    start = len(tls.usherd.log())
    tls.usherd.reload()
    tls.usherd.wait_log("settings: reloaded", start=start)
    with tls.wrap(name):
        pass


@pytest.mark.parametrize("what, sentence", [
    ("of another certificate", "tls_key does not belong to tls_certificate"),
    ("not a key", "tls_key cannot be read as a PEM private key")])
def test_a_wrong_pair_is_refused_at_the_start(what, sentence, site, tmp_path):
    certificate = Certificate(tmp_path)
    key = tmp_path / "other.pem"
    (tmp_path / "other").mkdir()
    if what == "not a key":
        key.write_text("nothing\n")
    else:
        other = Certificate(tmp_path / "other")
        key.write_bytes(other.key.read_bytes())
    key.chmod(0o600)
    usherd = Usherd(site.conninfo(), **{
        **certificate.settings(free_port()), "tls_key": key})
    usherd.start(wait=False)
    try:
        assert usherd.process.wait() in (1, 2)
        assert sentence in usherd.log()
    finally:
        usherd.stop()
        usherd.remove()


def test_a_listener_with_tls_ends_with_status_0(site, certificate, token,
                                                group):
    tls = Tls(site, certificate)
    tls.usherd.start()
    with tls.connect(group, token) as client:
        tls.usherd.process.send_signal(signal.SIGTERM)
        assert client.wait_close().code == 1001
        assert tls.usherd.process.wait() == 0
    tls.usherd.check_log()
    tls.usherd.remove()
