"""A WebSocket client that may say anything: for bad input.

Nothing is checked or repaired on the way out, and what comes in is taken
apart only as far as a test needs it.
"""
import base64
import collections
import os
import socket
import ssl
import struct
import time

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

Frame = collections.namedtuple("Frame", "opcode payload fin rsv")
Response = collections.namedtuple("Response", "status headers body")


class Raw:
    """A TCP (or, with tls, TLS) connection: with Raw(port) as raw: ..."""

    def __init__(self, port, host="127.0.0.1", tls=None, deadline_s=10,
                 receive_buffer=None):
        self.deadline_s = deadline_s
        self.socket = socket.socket()
        self.socket.settimeout(deadline_s)
        if receive_buffer:
            # Before connect(): a reader whose window is soon full.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   receive_buffer)
        self.socket.connect((host, port))
        if tls is True:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    # ---- out ------------------------------------------------------------

    def send(self, data):
        """Send the bytes as they are."""
        self.socket.sendall(data.encode("latin-1")
                            if isinstance(data, str) else data)

    def request(self, target, headers=(), key=None):
        """Send a correct upgrade request with further headers."""
        key = key or base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1",
                 "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
                 *(f"{name}: {value}" for name, value in
                   (headers.items() if isinstance(headers, dict)
                    else headers))]
        self.send("\r\n".join(lines) + "\r\n\r\n")

    def upgrade(self, target, headers=()):
        """Request and expect 101; returns self."""
        self.request(target, headers)
        response = self.response()
        assert response.status == 101, response
        return self

    def frame(self, opcode, payload=b"", **how):
        """Send one frame; see frame_bytes for how."""
        self.send(frame_bytes(opcode, payload, **how))

    # ---- in -------------------------------------------------------------

    def _fill(self):
        """Read more; False at the end of the stream."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return False
        self.buffer += data
        return bool(data)

    def _take(self, count):
        while len(self.buffer) < count:
            if not self._fill():
                raise EOFError(f"connection ended; unread: "
                               f"{self.buffer[:200]!r}")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def response(self):
        """Read an HTTP response, its body only if Content-Length says so."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                raise EOFError(f"no response: {self.buffer[:200]!r}")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        status = int(first.split()[1])
        length = 0 if status < 200 else int(headers.get("content-length", 0))
        return Response(status, headers, self._take(length))

    def read_frame(self):
        """Read one frame; EOFError at the end of the stream."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            length, = struct.unpack("!H", self._take(2))
        elif length == 127:
            length, = struct.unpack("!Q", self._take(8))
        assert not second & 0x80, "a server must not mask"
        return Frame(first & 0x0F, self._take(length), bool(first & 0x80),
                     first >> 4 & 7)

    def read_message(self, answer_pings=True):
        """Read frames up to a text or binary one; returns its payload."""
        while True:
            frame = self.read_frame()
            if frame.opcode == PING and answer_pings:
                self.frame(PONG, frame.payload)
            elif frame.opcode in (TEXT, BINARY):
                return frame.payload
            elif frame.opcode == CLOSE:
                raise EOFError(f"closed: {close_of(frame)}")

    def read_close(self):
        """Skip to the close frame: (code, reason); code None when empty."""
        while True:
            frame = self.read_frame()
            if frame.opcode == CLOSE:
                return close_of(frame)

    def ended(self, deadline_s=None):
        """Whether the peer ends the connection by the deadline, whatever it
        says before."""
        end = time.monotonic() + (deadline_s or self.deadline_s)
        try:
            while True:
                self.socket.settimeout(max(0.001, end - time.monotonic()))
                if not self._fill():
                    return True
        except socket.timeout:
            return False
        finally:
            self.socket.settimeout(self.deadline_s)


def close_of(frame):
    if len(frame.payload) < 2:
        return None, ""
    return (int.from_bytes(frame.payload[:2], "big"),
            frame.payload[2:].decode())


def frame_bytes(opcode, payload=b"", fin=True, rsv=0, mask=True,
                length=None, length_bytes=None):
    """One frame.  length lies about the payload's length; length_bytes (0, 2
    or 8) forces the form of the length, also a non-minimal one."""
    if isinstance(payload, str):
        payload = payload.encode()
    if length is None:
        length = len(payload)
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 65536 else 8
    out = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if length_bytes == 0:
        out += bytes([bit | length])
    elif length_bytes == 2:
        out += bytes([bit | 126]) + struct.pack("!H", length)
    else:
        out += bytes([bit | 127]) + struct.pack("!Q", length)
    if mask:
        key = os.urandom(4)
        stream = key * (len(payload) // 4 + 1)
        payload = (int.from_bytes(payload, "big")
                   ^ int.from_bytes(stream[:len(payload)], "big")
                   ).to_bytes(len(payload), "big")
        out += key
    return out + payload
