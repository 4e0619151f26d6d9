"""Child processes, scratch folders and ports that do not outlive us.

Three nets, since a test run may be interrupted in any way:
  - whoever starts a process stops it (Process.stop);
  - what was forgotten is stopped at exit, also after SIGTERM and SIGHUP, once
    end_on_signals() has been called;
  - the kernel signals our children when we are killed (PR_SET_PDEATHSIG).
"""
import atexit
import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running = []
_scratch = []


def eventually(question, deadline_s=10, every_s=0.02, what=None):
    """Ask until the answer is true; return it, or fail at the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise TimeoutError(
                f"not within {deadline_s} s: {what or question}")
        time.sleep(every_s)


def free_port(preferred=None):
    """A free TCP port on 127.0.0.1: the preferred one, the next ones, any."""
    wanted = range(preferred, preferred + 20) if preferred else ()
    for port in (*wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                # Without listen() two probes could get the same answer.
                probe.listen(1)
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no free port on 127.0.0.1")


class Account:
    """Whom PostgreSQL runs as: it refuses to run as root."""

    def __init__(self):
        self.is_other = os.geteuid() == 0
        entry = pwd.getpwnam("postgres") if self.is_other \
            else pwd.getpwuid(os.geteuid())
        self.name, self.uid, self.gid = entry[0], entry[2], entry[3]

    def popen_args(self):
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def may_enter(self, path):
        """Whether the account can reach and search the folder path."""
        if not self.is_other:
            return True
        path = Path(path).resolve()
        for folder in (path, *path.parents):
            info = folder.stat()
            mine = stat.S_IXUSR if info.st_uid == self.uid else \
                stat.S_IXGRP if info.st_gid == self.gid else stat.S_IXOTH
            if not info.st_mode & mine:
                return False
        return True


def scratch_dir(prefix="usher-"):
    """A folder that is removed at exit.  Its path is short: sockets live in
    it, and theirs may not pass 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    _scratch.append(path)
    return path


def remove_scratch_dir(path):
    shutil.rmtree(path, ignore_errors=True)
    if path in _scratch:
        _scratch.remove(path)


def run(args, **kwargs):
    """Run to the end; what it printed is in the error when it fails."""
    done = subprocess.run([str(a) for a in args], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))} exited with "
                           f"{done.returncode}:\n{done.stdout}")
    return done.stdout


class Process:
    """A child whose output goes to a log file."""

    def __init__(self, name, args, log, *, parent_gone=signal.SIGTERM,
                 account=None, **kwargs):
        self.name = name
        self.log_path = Path(log)
        parent = os.getpid()

        def tie_to_parent():
            # Runs after the change of user, which would clear the setting.
            _libc.prctl(PR_SET_PDEATHSIG, int(parent_gone))
            if os.getppid() != parent:
                os._exit(1)

        if account:
            kwargs.update(account.popen_args())
        with open(self.log_path, "ab") as output:
            # A session of its own: Ctrl-C in the terminal is for us, and we
            # end the children in the right order.
            self.popen = subprocess.Popen(
                [str(a) for a in args], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=tie_to_parent, **kwargs)
        self.pid = self.popen.pid
        _running.append(self)

    def is_running(self):
        return self.popen.poll() is None

    def send_signal(self, number):
        if self.is_running():
            self.popen.send_signal(number)

    def wait(self, deadline_s=10):
        """The exit status (negative: the signal that ended it)."""
        status = self.popen.wait(deadline_s)
        if self in _running:
            _running.remove(self)
        return status

    def stop(self, number=signal.SIGTERM, deadline_s=10):
        """Ask it to end, insist at the deadline; return the exit status."""
        self.send_signal(number)
        try:
            return self.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.wait()

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, deadline_s=10, start=0):
        """Wait until the log has the pattern from offset start on."""
        return eventually(lambda: re.search(pattern, self.log()[start:]),
                          deadline_s, what=f"{pattern!r} in the log of "
                                           f"{self.name}:\n{self.log()}")

    def wait_ready(self, question, deadline_s=15):
        """Wait for a yes, but no longer than the process lives."""
        def ask():
            if not self.is_running():
                raise RuntimeError(
                    f"{self.name} ended with {self.popen.returncode} "
                    f"before it was ready:\n{self.log()[-4000:]}")
            return question()
        try:
            return eventually(ask, deadline_s)
        except TimeoutError:
            raise TimeoutError(f"{self.name} was not ready within "
                               f"{deadline_s} s:\n{self.log()[-4000:]}")


def _end_all():
    # Youngest first: the site and the listener before their database.
    for process in reversed(list(_running)):
        process.stop(signal.SIGINT if process.name == "postgres"
                     else signal.SIGTERM, deadline_s=5)
    for path in list(_scratch):
        remove_scratch_dir(path)


def end_on_signals():
    """Let SIGTERM and SIGHUP end us like Ctrl-C, so that exit handlers run."""
    def interrupt(number, frame):
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


atexit.register(_end_all)
