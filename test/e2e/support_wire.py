"""What the tests of the wire have in common: heads, certificates, witnesses.

test_connect.py, test_protocol.py and test_bad_input.py talk to the listener
below the level of a WebSocket library; what they need beyond the harness is
here.
"""
import base64
import os
import re
import resource
import ssl

from harness import REPO, Usherd, eventually
from harness.process import run

KEY = base64.b64encode(bytes(range(16))).decode()

# Short, so that what ends by itself ends soon, and long enough for ASan.
QUICK = {"header_timeout": "700ms", "auth_timeout": "4s",
         "close_timeout": "500ms", "log_level": "debug"}


def head(target="/ws/public_x", method="GET", version="HTTP/1.1", add=(),
         drop=(), **change):
    """The bytes of an upgrade request.

    drop and change name usual headers with underscores; a change to a list
    sends the header several times.  add is (name, value) pairs.
    """
    usual = {"Host": "127.0.0.1", "Upgrade": "websocket",
             "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
             "Sec-WebSocket-Version": "13"}
    names = {name.replace("-", "_"): name for name in usual}
    for name in drop:
        del usual[names[name]]
    for name, value in change.items():
        usual[names[name]] = value
    lines = [_bytes(f"{method} ") + _bytes(target) + _bytes(f" {version}")]
    for name, value in [*usual.items(), *add]:
        for one in value if isinstance(value, list) else [value]:
            lines.append(_bytes(name) + b": " + _bytes(one))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def ask(usherd, request, **kwargs):
    """Send a whole request; returns the HTTP response, and sees to it that
    the listener ends the connection when that is not 101."""
    with usherd.raw(**kwargs) as raw:
        raw.send(request)
        response = raw.response()
        if response.status != 101:
            assert raw.ended(3), "the connection stays open after a refusal"
        return response


def broadcast_text(sql, group, text):
    sql(f"SELECT usher.broadcast_text('{group}', '{text}')")


class Witness:
    """Somebody in a group of his own, whom nothing may disturb."""

    def __init__(self, usherd, sql, group, token):
        self.sql = sql
        self.group = group
        self.count = 0
        self.client = usherd.connect(group, token)

    def check(self):
        """The next thing he hears is what is broadcast now."""
        self.count += 1
        said = f"still here {self.count}"
        broadcast_text(self.sql, self.group, said)
        heard = self.client.receive()
        assert heard == said

    def close(self):
        self.client.close()


def assert_no_secret(log, *secrets):
    """The log shows none of these, and of no client a header that carries
    one or a query."""
    for secret in secrets:
        if isinstance(secret, bytes):
            secret = secret.decode("latin-1")
        assert secret not in log
    for line in log.splitlines():
        if " client " in line:
            assert not re.search(r"session_key=|Authorization|\?\S+=",
                                 line)


# ---- other binaries -----------------------------------------------------

class PlainUsherd(Usherd):
    """The program without sanitizers, whatever $USHERD says: for what needs
    its speed, or measures its memory."""

    @staticmethod
    def binary():
        run(["make", "-s", "-C", REPO / "listener"],
            env={**os.environ, "MAKEFLAGS": ""})
        return REPO / "build/usherd"


class ValgrindUsherd(PlainUsherd):
    """The program under valgrind, whose verdict is the exit status: 99."""

    def binary(self):
        wrapper = self.folder / "usherd-valgrind"
        wrapper.write_text(
            "#!/bin/sh\n"
            "exec valgrind --quiet --error-exitcode=99 --leak-check=full"
            " --show-leak-kinds=definite --errors-for-leak-kinds=definite"
            f" --keep-debuginfo=yes {super().binary()} \"$@\"\n")
        wrapper.chmod(0o755)
        return wrapper


def memory_kb(pid, what="VmRSS"):
    """A line of /proc/<pid>/status; RssAnon leaves shared memory out."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(what + ":"):
                return int(line.split()[1])
    raise KeyError(what)


def raise_descriptor_limit(wanted):
    """Let this process and those it starts have that many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        hard = wanted       # may need root, as in CI
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def settle(pid, deadline_s=10):
    """Wait until the process takes no CPU any more."""
    def ticks():
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    last = [ticks() - 100]

    def idle():
        now = ticks()
        quiet = now - last[0] <= 1
        last[0] = now
        return quiet
    eventually(idle, deadline_s, every_s=0.2, what=f"rest of process {pid}")


# ---- TLS ----------------------------------------------------------------

class Certificate:
    """A self-signed certificate in two files, made anew by renew()."""

    def __init__(self, folder, name="one.example"):
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self.renew(name)

    def renew(self, name):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
             "-keyout", self.key, "-out", self.certificate])
        self.key.chmod(0o600)
        self.name = name
        return self

    def settings(self, port):
        return {"tls_listen": f"127.0.0.1:{port}",
                "tls_certificate": self.certificate, "tls_key": self.key}

    def context(self, **options):
        """A client's context that trusts exactly this certificate."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        for name, value in options.items():
            setattr(context, name, value)
        return context
