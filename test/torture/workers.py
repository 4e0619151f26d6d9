"""The listeners, and the processes that publish and receive."""
import atexit
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.listener import Usherd
from harness.process import PR_SET_PDEATHSIG, Process, _libc

HERE = Path(__file__).resolve().parent

# Impatient, so that a run of seconds sees the ends that take a site minutes.
LISTENER_SETTINGS = {"ping_interval": "2s", "ping_timeout": "3s",
                     "queue_age": "5s"}
# One of the two forgets at once what it sent: resumes are read from the table.
FORGETFUL = {"recent_bytes": "64kB"}


class Listener(Usherd):
    """usherd under a name, perhaps in a network namespace."""

    program = None      # built once, not at every start

    def __init__(self, name, conninfo, folder, network=None, **settings):
        super().__init__(conninfo, log=Path(folder) / f"{name}.log",
                         **{**LISTENER_SETTINGS, **settings})
        self.name = name
        self.network = network
        if network:
            self.host = network.listener_host
            self.settings["listen"] = f"{self.host}:{self.port}"
        Listener.program = Listener.program or self.binary()

    def start(self, wait=True, deadline_s=30):
        prefix = self.network.prefix() if self.network else []
        self.process = Process(
            self.name, [*prefix, self.program, *self.arguments()],
            self.log_path)
        if wait:
            self.process.wait_ready(self.is_ready, deadline_s)
        return self

    @property
    def ws_url(self):
        return f"ws://{self.host}:{self.port}"


class Worker:
    """A Python program of this folder that is given options and commands."""

    def __init__(self, name, script, options):
        self.name = name
        parent = os.getpid()

        def tie_to_parent():
            _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != parent:
                os._exit(1)

        self.errors = Path(options["folder"]) / f"{name}.err"
        with open(self.errors, "w") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, str(HERE / script), json.dumps(options)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, text=True, start_new_session=True,
                preexec_fn=tie_to_parent)
        atexit.register(self.kill)

    def say(self, line):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def answer(self, deadline_s):
        """A line, or why there is none."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if select.select([self.popen.stdout], [], [], 1)[0]:
                line = self.popen.stdout.readline()
                return line.strip() or f"failed: {self.error_text()}"
        return f"failed: {self.name} said nothing for {deadline_s} s"

    def error_text(self):
        return self.errors.read_text()[-3000:] or "it ended"

    def send_signal(self, number):
        if self.popen.poll() is None:
            self.popen.send_signal(number)

    def wait(self, deadline_s):
        """The exit status; killed if it does not come."""
        try:
            return self.popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        atexit.unregister(self.kill)
