"""A private PostgreSQL with the extension, apart from the system's.

The installation is a folder of links (test/pgroot.sh), so nothing is written
into PostgreSQL's own folders and no root rights are needed.  As root,
PostgreSQL runs as user postgres and everything it reads lies in a scratch
folder, because a clone in /root is closed to that user.
"""
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg2

from .process import (Account, Process, REPO, eventually, free_port,
                      remove_scratch_dir, run, scratch_dir)

SUPERUSER = "postgres"

# Test data need not survive a power cut, and a small machine has other uses
# for 128 MB.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "log_line_prefix": "'%m [%p] %q%u@%d '",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Cluster:
    """One PostgreSQL server: with Cluster() as cluster: ...

    folder     where data, socket, log and installation go; a scratch folder
               removed by destroy() when not given.  Must be enterable by the
               account PostgreSQL runs as, and short enough for a socket.
    settings   further lines of postgresql.conf
    tcp        also listen on 127.0.0.1, where everybody is trusted: for
               tests; a demo may run on a machine with other users
    pg_root    an installation made before (test/pgroot.sh and make install)
    """

    def __init__(self, folder=None, settings=None, tcp=True, port=None,
                 pg_root=None):
        self.account = Account()
        self.folder = Path(folder) if folder else scratch_dir("usher-pg-")
        self.is_scratch = folder is None
        self.data = self.folder / "data"
        self.log_path = self.folder / "postgresql.log"
        self.root = Path(pg_root) if pg_root else self.folder / "root"
        self.port = port or free_port()
        self.tcp = tcp
        self.settings = {**SETTINGS, **(settings or {})}
        self.bin = None
        self.process = None

    def __enter__(self):
        return self.create().start()

    def __exit__(self, *exc):
        self.destroy()

    # ---- installation and data ------------------------------------------

    def install(self):
        """Make the private installation and put the extension into it."""
        bindir = run([REPO / "test/pgroot.sh", self.root]).split()[-1]
        self.bin = Path(bindir)
        run(["make", "-s", "-C", REPO / "extension", "install",
             f"DESTDIR={self.root}"], env={**os.environ, "MAKEFLAGS": ""})

    def create(self):
        """Install and initdb."""
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)
        if self.account.is_other:
            shutil.chown(self.folder, self.account.name)
        self.install()
        self.run_as([self.bin / "initdb", "-D", self.data, "-U", SUPERUSER,
                     "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
        settings = {
            **self.settings,
            "port": self.port,
            "unix_socket_directories": f"'{self.folder}'",
            "unix_socket_permissions": "0700",
            "listen_addresses": "'127.0.0.1'" if self.tcp else "''",
        }
        with open(self.data / "postgresql.auto.conf", "a") as conf:
            conf.writelines(f"{k} = {v}\n" for k, v in settings.items())
        return self

    def run_as(self, args, **kwargs):
        """Run a program as PostgreSQL's account; return what it printed."""
        return run(args, cwd="/", **self.account.popen_args(), **kwargs)

    # ---- running --------------------------------------------------------

    def start(self):
        # SIGINT is PostgreSQL's fast shutdown.
        self.process = Process(
            "postgres", [self.bin / "postgres", "-D", self.data],
            self.log_path, parent_gone=signal.SIGINT, account=self.account,
            cwd="/")
        self.process.wait_ready(self.is_ready)
        return self

    def is_ready(self):
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self, mode="fast"):
        """mode: smart, fast or immediate, as pg_ctl has them."""
        if self.process is None:
            return
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT,
                  "immediate": signal.SIGQUIT}[mode]
        self.process.stop(number)
        self.process = None

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def kill9(self):
        """End the server and all its backends as the OOM killer would."""
        pids = [self.process.pid, *self._children()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None
        # start() is refused while a backend holds the shared memory.
        for pid in pids[1:]:
            eventually(lambda: not _alive(pid), what=f"end of backend {pid}")

    def _children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}"
                  "/children") as children:
            return [int(pid) for pid in children.read().split()]

    def destroy(self):
        self.stop()
        if self.is_scratch:
            remove_scratch_dir(self.folder)

    def log(self):
        return self.log_path.read_text(errors="replace")

    # ---- talking to it --------------------------------------------------

    def conninfo(self, database="postgres", user=SUPERUSER, tcp=False):
        """A libpq connection string, over the socket unless tcp."""
        host = "127.0.0.1" if tcp else self.folder
        return f"host={host} port={self.port} dbname={database} user={user}"

    def connect(self, database="postgres", user=SUPERUSER, autocommit=True):
        connection = psycopg2.connect(self.conninfo(database, user))
        connection.autocommit = autocommit
        return connection

    def psql(self, sql, database="postgres", user=SUPERUSER):
        """What psql prints for sql: bare values, one row a line."""
        return self.psql_file("-c", sql, database, user)

    def psql_file(self, option, value, database="postgres", user=SUPERUSER):
        done = subprocess.run(
            [str(self.bin / "psql"), "-X", "-q", "-A", "-t",
             "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(database, user),
             option, str(value)],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr}")
        return done.stdout.rstrip("\n")

    def create_database(self, name, owner=SUPERUSER):
        self.psql(f'CREATE DATABASE "{name}" OWNER "{owner}"')

    def drop_database(self, name):
        self.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _alive(pid):
    """A process that is more than a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
