"""A blocking WebSocket client: the protocol is Debian's python3-websockets
(its Sans-I/O core), so that somebody else's idea of RFC 6455 judges ours."""
import collections
import json
import socket
import ssl
import time

from websockets.client import ClientConnection
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode
from websockets.uri import parse_uri

Close = collections.namedtuple("Close", "code reason")


class Refused(Exception):
    """The server answered the upgrade with an HTTP status other than 101."""

    def __init__(self, response):
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.body or b""
        super().__init__(f"{self.status} {self.body.decode(errors='replace')}")

    def json(self):
        return json.loads(self.body)


class Closed(Exception):
    """The server closed while a message was awaited."""

    def __init__(self, close):
        self.code, self.reason = close
        super().__init__(f"closed {close.code} {close.reason}")


class Client:
    """An open connection; the constructor raises Refused when there is none.

    headers   further request headers, a dict or pairs
    origin    send this Origin, as a browser does
    tls       an ssl.SSLContext for wss:// (default: no verification)
    """

    def __init__(self, url, headers=(), origin=None, tls=None, deadline_s=10,
                 max_size=16 << 20, subprotocols=None):
        self.deadline_s = deadline_s
        uri = parse_uri(url)
        self.protocol = ClientConnection(uri, origin=origin,
                                         max_size=max_size,
                                         subprotocols=subprotocols)
        self.messages = collections.deque()
        self.pongs = collections.deque()
        self.parts = []
        self.text = True
        self.response = None
        self.at_end = False
        self.socket = socket.create_connection((uri.host, uri.port),
                                               deadline_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if uri.secure:
            if tls is None:
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                tls.check_hostname = False
                tls.verify_mode = ssl.CERT_NONE
            self.socket = tls.wrap_socket(self.socket,
                                          server_hostname=uri.host)
        request = self.protocol.connect()
        for name, value in (headers.items() if isinstance(headers, dict)
                            else headers):
            request.headers[name] = value
        self.protocol.send_request(request)
        self._flush()
        try:
            self._pump(lambda: self.response is not None, deadline_s)
        except BaseException:
            self.socket.close()
            raise
        if self.protocol.handshake_exc is not None:
            self.socket.close()
            error = self.protocol.handshake_exc
            if isinstance(error, InvalidStatus):
                raise Refused(error.response)
            raise error

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # ---- talking --------------------------------------------------------

    def send(self, message):
        """str goes as text, bytes as binary."""
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        self._flush()

    def send_json(self, value):
        self.send(json.dumps(value))

    def receive(self, deadline_s=None):
        """The next message; Closed when the server closed instead."""
        self._pump(lambda: self.messages or self._has_closed(),
                   deadline_s or self.deadline_s, "a message")
        if self.messages:
            return self.messages.popleft()
        raise Closed(self._close())

    def receive_json(self, deadline_s=None):
        return json.loads(self.receive(deadline_s))

    def receive_nothing(self, for_s=0.3):
        """Fail if a message or a close comes within for_s."""
        try:
            got = self.receive(for_s)
        except TimeoutError:
            return
        raise AssertionError(f"received {got!r}")

    def ping(self, payload=b"ping", deadline_s=None):
        """Send a ping and wait for its pong: all that the server did before
        has then arrived."""
        self.protocol.send_ping(payload)
        self._flush()
        self._pump(lambda: payload in self.pongs or self._has_closed(),
                   deadline_s or self.deadline_s, "a pong")
        if payload not in self.pongs:
            raise Closed(self._close())
        self.pongs.remove(payload)

    def wait_close(self, deadline_s=None):
        """Skip messages until the server closes: Close(code, reason)."""
        self._pump(self._has_closed, deadline_s or self.deadline_s, "a close")
        return self._close()

    def close(self, code=1000, reason="", deadline_s=2):
        """Close as a good client does; returns the server's Close."""
        try:
            if not self._has_closed() and self.protocol.close_sent is None:
                self.protocol.send_close(code, reason)
                self._flush()
            self._pump(self._has_closed, deadline_s, "a close")
        except (OSError, TimeoutError):
            pass
        finally:
            self.socket.close()
        return self._close()

    def abort(self):
        """Vanish: reset the connection without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    # ---- turning the protocol's wheel -----------------------------------

    def _has_closed(self):
        return self.protocol.close_rcvd is not None or self.at_end

    def _close(self):
        got = self.protocol.close_rcvd
        # 1006 is what a browser reports for an end without a close frame.
        return Close(got.code, got.reason) if got else Close(1006, "")

    def _flush(self):
        for data in self.protocol.data_to_send():
            if data:
                self.socket.sendall(data)

    def _pump(self, done, deadline_s, what="an answer"):
        end = time.monotonic() + deadline_s
        while not done():
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.socket.recv(1 << 16)
            except (socket.timeout, ssl.SSLWantReadError):
                raise TimeoutError(
                    f"{what} did not come within {deadline_s} s") from None
            except (ConnectionResetError, BrokenPipeError):
                data = b""
            finally:
                self.socket.settimeout(self.deadline_s)
            if data:
                self.protocol.receive_data(data)
            else:
                self.at_end = True
                self.protocol.receive_eof()
            for event in self.protocol.events_received():
                self._on_event(event)
            try:
                self._flush()  # pongs and the answer to a close
            except OSError:
                self.at_end = True
            if self.at_end and not done():
                raise EOFError(f"connection ended before {what}")
            if time.monotonic() > end and not done():
                raise TimeoutError(f"{what} did not come "
                                   f"within {deadline_s} s")

    def _on_event(self, event):
        if self.response is None:
            self.response = event
            return
        if event.opcode is Opcode.PONG:
            self.pongs.append(bytes(event.data))
        if event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if event.opcode is not Opcode.CONT:
            self.text = event.opcode is Opcode.TEXT
        self.parts.append(bytes(event.data))
        if event.fin:
            whole = b"".join(self.parts)
            self.parts = []
            self.messages.append(whole.decode() if self.text else whole)
