"""The listener under test."""
import http.client
import json
import os
import re
import signal
from pathlib import Path

from .process import (Process, REPO, free_port, remove_scratch_dir, run,
                      scratch_dir)
from .raw import Raw, Response

SANITIZER = re.compile(
    r"ERROR: AddressSanitizer|runtime error:|ERROR: LeakSanitizer"
    r"|WARNING: ThreadSanitizer|SUMMARY: \w+Sanitizer")


class Usherd:
    """usherd on a free port: with Usherd(cluster.conninfo("site")) as usherd

    database   libpq connection string of the Django database
    settings   further settings by name, as in the INI file
    $USHERD names another binary, such as one with sanitizers; what those
    report fails the test that stops the listener.
    """

    def __init__(self, database, port=None, log=None, **settings):
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.folder = None if log else scratch_dir("usher-d-")
        self.log_path = Path(log) if log else self.folder / "usherd.log"
        self.settings = {
            "listen": f"127.0.0.1:{self.port}",
            "database": database,
            "drain_time": "50ms",
            **settings,
        }
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
        self.remove()

    @staticmethod
    def binary():
        """The program, built if it is ours."""
        if "USHERD" in os.environ:
            return Path(os.environ["USHERD"])
        run(["make", "-s", "-C", REPO / "listener"],
            env={**os.environ, "MAKEFLAGS": ""})
        return REPO / "build/usherd"

    def arguments(self):
        return [f"--{name.replace('_', '-')}={value}"
                for name, value in self.settings.items()]

    # ---- running --------------------------------------------------------

    def start(self, wait=True, deadline_s=15, arguments=(), **kwargs):
        self.process = Process("usherd", [self.binary(), *self.arguments(),
                                          *arguments],
                               self.log_path, **kwargs)
        if wait:
            self.process.wait_ready(self.is_ready, deadline_s)
        return self

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.is_running()

    def answers(self, path="/healthz"):
        try:
            return self.get(path).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def is_ready(self):
        return self.answers("/readyz")

    def stop(self, deadline_s=15):
        """End by SIGTERM; returns the exit status.  A crash, also an earlier
        one, or what a sanitizer said is an error."""
        if self.process is None:
            return None
        status = self.process.stop(signal.SIGTERM, deadline_s)
        self.process = None
        self.check_log()
        if status < 0:
            raise AssertionError(f"usherd died of {signal.Signals(-status)}:"
                                 f"\n{self.log()[-2000:]}")
        return status

    def kill(self):
        self.process.stop(signal.SIGKILL)
        self.process = None

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def remove(self):
        if self.folder:
            remove_scratch_dir(self.folder)

    def check_log(self):
        log = self.log()
        found = SANITIZER.search(log)
        if found:
            raise AssertionError(f"usherd: {log[found.start():][:6000]}")

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, deadline_s=10, start=0):
        return self.process.wait_log(pattern, deadline_s, start)

    # ---- talking to it --------------------------------------------------

    def get(self, path, method="GET", headers=None, deadline_s=5):
        """A plain HTTP request: Response(status, headers, body)."""
        connection = http.client.HTTPConnection(self.host, self.port,
                                                timeout=deadline_s)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return Response(answer.status,
                            {k.lower(): v for k, v in answer.getheaders()},
                            answer.read())
        finally:
            connection.close()

    def get_json(self, path):
        return json.loads(self.get(path).body)

    def url(self, group, session_key=None, token=None, scheme="ws"):
        """The raw mode's URL; credentials given here go into the query."""
        query = f"?session_key={session_key}" if session_key else \
            f"?token={token}" if token else ""
        return f"{scheme}://127.0.0.1:{self.port}/ws/{group}{query}"

    def connect(self, group, token=None, session_key=None, headers=(),
                query="", **kwargs):
        """A Client in group; the token goes into the Authorization header,
        as Django REST Framework has it."""
        # The demo does without python3-websockets.
        from .client import Client
        headers = list(headers.items() if isinstance(headers, dict)
                       else headers)
        if token is not None:
            headers.append(("Authorization", f"Token {token}"))
        return Client(self.url(group, session_key) + query, headers, **kwargs)

    @property
    def origin(self):
        """The Origin of a page that this listener's own address serves."""
        return f"http://127.0.0.1:{self.port}"

    def connect_by_cookie(self, group, value, name="sessionid", **kwargs):
        """A Client as a browser makes it on a page of the same origin."""
        kwargs.setdefault("origin", self.origin)
        return self.connect(group, headers={"Cookie": f"{name}={value}"},
                            **kwargs)

    def raw(self, **kwargs):
        return Raw(self.port, **kwargs)
