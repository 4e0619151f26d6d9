"""What is easily lost at an end: last messages, last bytes, idle clients."""
import ssl
import time

import pytest

from harness import free_port
from harness.raw import CLOSE, TEXT, Raw, frame_bytes
from support_wire import Certificate


@pytest.fixture
def tls(start_usherd, tmp_path):
    """connect(group, token): a WebSocket over TLS that may say anything."""
    certificate = Certificate(tmp_path)
    port = free_port()
    usherd = start_usherd(**certificate.settings(port), message_rate=0,
                          canary_interval="60s", ping_interval="0")

    def connect(group, token):
        return Raw(port, tls=True).upgrade(
            f"/ws/{group}", {"Authorization": f"Token {token}"})

    connect.usherd, connect.port, connect.certificate = \
        usherd, port, certificate
    return connect


def test_what_a_client_sends_in_one_packet_with_its_close_frame_is_delivered(
        usherd, token, group):
    with usherd.connect(group, token=token) as witness:
        with usherd.raw() as raw:
            raw.upgrade(f"/ws/{group}", {"Authorization": f"Token {token}"})
            raw.send(b"".join(frame_bytes(TEXT, f'"{i}"') for i in range(20)) +
                     frame_bytes(CLOSE, b"\x03\xe8"))
            assert raw.read_close()[0] == 1000
        assert [witness.receive() for _ in range(20)] == \
            [f'"{i}"' for i in range(20)]


def test_what_was_sent_before_a_frame_that_breaks_the_protocol_is_delivered(
        usherd, token, group):
    with usherd.connect(group, token=token) as witness:
        with usherd.raw() as raw:
            raw.upgrade(f"/ws/{group}", {"Authorization": f"Token {token}"})
            raw.send(frame_bytes(TEXT, '"before"') +
                     frame_bytes(TEXT, '"unmasked"', mask=False))
            assert raw.read_close()[0] == 1002
        assert witness.receive() == '"before"'


def test_an_idle_tls_client_outlives_the_time_a_handshake_may_take(
        tls, token, group, sql):
    with tls(group, token) as client:
        time.sleep(6)  # libwebsockets gives a handshake 5 s
        sql(f"SELECT usher.broadcast_text('{group}', 'still there')")
        assert client.read_message() == b"still there"


def test_a_full_tls_record_is_read_to_its_end_when_reading_was_paused(
        tls, token, group):
    """The record's last bytes are with OpenSSL, where no poll sees them."""
    message = frame_bytes(TEXT, '"' + "x" * 54 + '"')
    count = 16384 // len(message)
    data = message * count
    data += frame_bytes(TEXT, "1" * (16384 - len(data) - 6))
    assert len(data) == 16384
    with tls(group, token) as witness, tls(group, token) as sender:
        sender.socket.send(data)
        for _ in range(count + 1):
            witness.read_message()


def test_a_reload_takes_a_certificate_of_another_name_into_use(
        site, start_usherd, tmp_path):
    first = Certificate(tmp_path, "one.example")
    (tmp_path / "second").mkdir()
    second = Certificate(tmp_path / "second", "two.example")
    port = free_port()
    settings = tmp_path / "usherd.ini"

    def write(pair):
        settings.write_text("[usherd]\n" + "".join(
            f"{name} = {value}\n"
            for name, value in pair.settings(port).items()))

    def served():
        return ssl.get_server_certificate(("127.0.0.1", port))

    write(first)
    usherd = start_usherd(config=settings)
    assert served().strip() == first.certificate.read_text().strip()
    write(second)
    usherd.reload()
    usherd.wait_log("settings: reloaded")
    assert served().strip() == second.certificate.read_text().strip()


def test_a_slow_reader_that_keeps_reading_is_not_taken_for_dead(
        start_usherd, token, group, sql):
    """While output waits for it, its pongs cannot be read."""
    usherd = start_usherd(queue_bytes="100MB", ping_interval="500ms",
                          ping_timeout="3s")
    with usherd.raw(receive_buffer=8192) as raw:
        raw.upgrade(f"/ws/{group}", {"Authorization": f"Token {token}"})
        sql(f"SELECT usher.broadcast_text('{group}', repeat('x', 60000)) "
            "FROM generate_series(1, 400)")
        end = time.monotonic() + 6
        while time.monotonic() < end:
            assert raw.socket.recv(65536)
            time.sleep(0.05)
        assert "ping timeout" not in usherd.log()


def test_a_group_follows_its_category_to_plain_and_back(
        usherd, token, number, sql):
    category = f"turning{number}"

    def become(plain):
        # Asked about again when the listener has heard: a moment later.
        sql(f"SELECT usher.set_category('{category}', "
            f"join => 'authenticated', plain => {plain})")
        time.sleep(0.5)

    become("false")
    with usherd.connect(f"{category}_1", token=token) as client:
        become("true")
        sql(f"NOTIFY {category}_1, 'plain'")
        assert client.receive() == "plain"
        become("false")
        sql(f"NOTIFY {category}_1, 'no more'")
        client.receive_nothing()
