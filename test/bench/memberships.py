"""Many clients of usher.v1 in many groups: what a connection and a membership
cost in memory, and how fast both come about."""
import selectors
import socket
import time

GROUPS = 1000

HEAD = ("GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: usher.v1\r\n"
        "Authorization: Token {:040d}\r\n\r\n")

# Connections that have not been admitted yet, at a time.
WINDOW = 500


def text_frame(text):
    """A client's frame, masked with zeros."""
    data = text.encode()
    if len(data) < 126:
        return bytes([0x81, 0x80 | len(data)]) + bytes(4) + data
    return b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data


class Clients:
    """Open connections, each of a user of his own."""

    def __init__(self, port, count):
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.sockets = []
        self.waiting = {}
        started = 0
        while started < count or self.waiting:
            while started < count and len(self.waiting) < WINDOW:
                self._start(started)
                started += 1
            self._read()

    def _start(self, number):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(HEAD.format(number % 20000).encode())
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ)
        self.sockets.append(connection)
        self.waiting[connection] = [b'"type":"welcome"', 1]

    def _read(self):
        for key, _ in self.selector.select(10) or self._nothing():
            data = key.fileobj.recv(1 << 16)
            if not data:
                raise RuntimeError("a connection was closed")
            wanted = self.waiting.get(key.fileobj)
            if wanted is None:
                continue
            wanted[1] -= data.count(wanted[0])
            if wanted[1] <= 0:
                del self.waiting[key.fileobj]

    @staticmethod
    def _nothing():
        raise RuntimeError("nothing came for ten seconds")

    def subscribe(self, first, last):
        """All into groups number first to last of theirs, which they share
        with others."""
        for number, connection in enumerate(self.sockets):
            names = ",".join(f'"bench_{(number + i * 7) % GROUPS}"'
                             for i in range(first, last))
            self.waiting[connection] = [b'"type":"subscribed"', last - first]
            connection.sendall(text_frame(
                '{"type":"subscribe","groups":[%s]}' % names))
            while len(self.waiting) >= WINDOW:
                self._read()
        while self.waiting:
            self._read()

    def close(self):
        for connection in self.sockets:
            connection.close()


def memberships(usherd, count, each, resident_kb, cpu_seconds):
    """Figures of count clients in that many groups each, as a dictionary."""
    Clients(usherd.port, 100).close()
    time.sleep(0.5)
    marks = []

    def mark():
        marks.append((time.monotonic(), cpu_seconds(usherd.pid)))

    empty_kb = resident_kb(usherd.pid)
    mark()
    clients = Clients(usherd.port, count)
    mark()
    time.sleep(2)
    connected_kb = resident_kb(usherd.pid)
    mark()
    clients.subscribe(0, each)
    mark()
    # What the requests left free is used up; from here on memory is added.
    time.sleep(2)
    seated_kb = resident_kb(usherd.pid)
    clients.subscribe(each, 2 * each)
    time.sleep(2)
    doubled_kb = resident_kb(usherd.pid)
    clients.close()
    return {
        "connects": count / (marks[1][0] - marks[0][0]),
        "connect_us": (marks[1][1] - marks[0][1]) * 1e6 / count,
        "connection_bytes": (connected_kb - empty_kb) * 1024 / count,
        "subscribes": count * each / (marks[3][0] - marks[2][0]),
        "subscribe_us": (marks[3][1] - marks[2][1]) * 1e6 / (count * each),
        "seated_bytes": (seated_kb - empty_kb) * 1024 / count,
        "membership_bytes": (doubled_kb - seated_kb) * 1024 / (count * each),
    }
