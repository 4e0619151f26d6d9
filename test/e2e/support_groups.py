"""What the tests of groups, fan-out, revocation, outages and operations share.

Sql       the site's own role talking SQL, as a view or psql would
Person    a user made by SQL alone: no password is hashed for him
Crowd     many members read at once, compared byte for byte
Proxy     a TCP relay between usherd and PostgreSQL that can fail
"""
import collections
import contextlib
import secrets
import selectors
import socket
import struct
import threading
import time

from harness.raw import Raw, TEXT, frame_bytes

Person = collections.namedtuple("Person", "id name token")


class Sql:
    """sql("SELECT ...", arguments): rows, or how many were touched."""

    def __init__(self, site, user="site"):
        self.connection = site.connect(user)

    def __call__(self, query, *arguments):
        with self.connection.cursor() as cursor:
            cursor.execute(query, arguments or None)
            return cursor.fetchall() if cursor.description \
                else cursor.rowcount

    def value(self, query, *arguments):
        return self(query, *arguments)[0][0]

    @contextlib.contextmanager
    def transaction(self, end="COMMIT"):
        self("BEGIN")
        try:
            yield
        except BaseException:
            self("ROLLBACK")
            raise
        self(end)

    def close(self):
        self.connection.close()

    # ---- the site's life ------------------------------------------------

    def add_people(self, count):
        """New users with a token each, in two statements."""
        names = [f"u{secrets.token_hex(8)}" for _ in range(count)]
        keys = [secrets.token_hex(20) for _ in range(count)]
        self("INSERT INTO auth_user (username, password, is_superuser,"
             " first_name, last_name, email, is_staff, is_active,"
             " date_joined) SELECT name, '!', false, '', '', '', false, true,"
             " now() FROM unnest(%s) AS name", names)
        self("INSERT INTO authtoken_token (key, created, user_id)"
             " SELECT key, now(), id FROM unnest(%s, %s) AS new (name, key)"
             " JOIN auth_user ON username = name", names, keys)
        ids = dict(self("SELECT username, id::text FROM auth_user"
                        " WHERE username = ANY (%s)", names))
        return [Person(ids[name], name, key)
                for name, key in zip(names, keys)]

    def add_person(self):
        return self.add_people(1)[0]

    def issue(self, person, ttl="120 s", **how):
        """A session key issued by the person's token."""
        return self.value("SELECT session_key FROM usher.issue_session"
                          "(%s, %s, max_uses => %s)", person.token, ttl,
                          how.get("max_uses"))

    def issue_for(self, person, ttl="120 s"):
        """A session key that hangs on the user alone."""
        return self.value("SELECT session_key FROM usher.issue_session_for"
                          "(%s, %s)", person.id, ttl)

    def set_category(self, name, **rules):
        given = ", ".join(f'"{rule}" => %s' for rule in rules)
        self(f"SELECT usher.set_category(%s, {given})", name, *rules.values())

    def tell(self, group, text):
        self("SELECT usher.broadcast_text(%s, %s)", group, text)


def text_frame(text):
    """What a member receives for a text message."""
    return frame_bytes(TEXT, text, mask=False)


class Crowd:
    """Members of one group, one per token, that only read.

    Each collects what it was sent behind the 101; nobody reads until told.
    """

    def __init__(self, usherd, group, tokens, **how):
        self.members = []
        for token in tokens:
            member = Raw(usherd.port, **how)
            member.upgrade(f"/ws/{group}",
                           {"Authorization": f"Token {token}"})
            self.members.append(member)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for member in self.members:
            member.close()

    def read_exactly(self, expected, deadline_s=30):
        """Read until everyone has as many bytes as expected; they must be
        those bytes."""
        end = time.monotonic() + deadline_s
        got = {member: bytearray(member.buffer) for member in self.members}
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                if len(got[member]) < len(expected):
                    selector.register(member.socket, selectors.EVENT_READ,
                                      member)
            while selector.get_map():
                ready = selector.select(max(0, end - time.monotonic()))
                if not ready:
                    raise TimeoutError(
                        f"after {deadline_s} s members have "
                        f"{sorted(map(len, got.values()))} bytes of "
                        f"{len(expected)}")
                for key, _ in ready:
                    data = key.data.socket.recv(1 << 18)
                    got[key.data] += data
                    if not data or len(got[key.data]) >= len(expected):
                        selector.unregister(key.fileobj)
        for number, member in enumerate(self.members):
            assert_same(bytes(got[member]), expected, f"member {number}")
            member.buffer = b""


def assert_same(got, expected, whose):
    """As assert got == expected, without printing megabytes."""
    if got == expected:
        return
    at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b),
              min(len(got), len(expected)))
    raise AssertionError(
        f"{whose} has {len(got)} bytes of {len(expected)}; at {at}: "
        f"{got[at:at + 60]!r} instead of {expected[at:at + 60]!r}")


def memory_kb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise KeyError(field)


class Proxy:
    """Relays TCP connections to a port, until told to fail.

    blackhole()  nothing is forwarded any more and nobody is told, as when a
                 cable is pulled; new connections are swallowed too
    cut()        every connection is reset, new ones are refused
    restore()    what hung before is gone; new connections are relayed
    """

    def __init__(self, port):
        self.target = port
        self.lock = threading.Lock()
        self.pairs = []
        self.gate = threading.Event()
        self.gate.set()
        self.listener = None
        self.port = None
        self._listen()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.cut()

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port or 0))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self.listener = listener
        threading.Thread(target=self._accept, args=(listener,),
                         daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                near = listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                reset(near)
                continue
            with self.lock:
                self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._relay,
                                 args=(source, sink, self.gate),
                                 daemon=True).start()

    @staticmethod
    def _relay(source, sink, gate):
        try:
            while True:
                gate.wait()
                data = source.recv(65536)
                gate.wait()
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def blackhole(self):
        self.gate.clear()

    def cut(self):
        if self.listener is None:
            return
        # close() alone leaves the thread in accept() with the descriptor.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        self._drop()

    def _drop(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                reset(end)
        self.gate.set()     # let the relays see it
        self.gate = threading.Event()
        self.gate.set()

    def restore(self):
        self._drop()
        if self.listener is None:
            self._listen()


def reset(connection):
    """Close with RST, also while another thread is reading."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
