"""A primary and its synchronous standby, which change places.

What a failover manager does is done here as one would have to do it: the old
primary is dead before the standby is promoted, only a standby that is known to
be in sync is, and the new primary does without one until it has been copied.
"""
import os
import shutil
import signal
import threading
import time

import psycopg2
from harness.cluster import SUPERUSER, Cluster, _alive
from harness.process import eventually, free_port, run, scratch_dir

DATABASE = "torture"

# Everything that makes a commit safe, but for the power cut that fsync is for.
# full_page_writes: SIGKILL may cut a page in two, the kernel writes it in
# halves.  Times are short so that a run sees many of them pass.
SETTINGS = {
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "120",
    "wal_keep_size": "1GB",
    "wal_retrieve_retry_interval": "200ms",
    "wal_receiver_status_interval": "1s",
    "deadlock_timeout": "100ms",
    "restart_after_crash": "on",
    "shared_preload_libraries": "'usher'",
}

# As Django and DRF make them; a user and token for each client.
TABLES = """
CREATE TABLE auth_user (
    id integer PRIMARY KEY, username varchar(150) NOT NULL UNIQUE,
    password varchar(128) NOT NULL, is_active boolean NOT NULL);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamptz NOT NULL,
    user_id integer NOT NULL UNIQUE REFERENCES auth_user
        DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user SELECT i, 'user' || i, '!', true
    FROM generate_series(0, 9999) i;
INSERT INTO authtoken_token SELECT lpad(i::text, 40, '0'), now(), i
    FROM generate_series(0, 9999) i;
CREATE EXTENSION usher;
SELECT usher.attach_django();
SELECT usher.set_category('t', "join" => 'authenticated', durable => true,
    keep => '1000 days', keep_messages => NULL);
CREATE ROLE usherd LOGIN IN ROLE usher_listener;
CREATE ROLE site LOGIN IN ROLE usher_app;
"""


class Node(Cluster):
    """One of the two servers, on a port that it keeps."""

    def __init__(self, name, pg_root, settings, network):
        super().__init__(scratch_dir(f"usher-{name}-"), pg_root=pg_root,
                         settings={**SETTINGS, **settings})
        self.name = name
        self.is_scratch = True
        self.network = network

    def create(self):
        super().create()
        self.configure()
        with open(self.data / "pg_hba.conf", "a") as hba:
            if self.network:
                hba.write("host all all "
                          f"{self.network.network_of_listener} trust\n")
        return self

    def configure(self, **settings):
        """What differs between the two; the last line wins."""
        hosts = ["127.0.0.1"]
        if self.network:
            hosts.append(self.network.database_host)
        settings = {"port": self.port,
                    "unix_socket_directories": f"'{self.folder}'",
                    "listen_addresses": f"'{','.join(hosts)}'", **settings}
        with open(self.data / "postgresql.auto.conf", "a") as conf:
            conf.writelines(f"{k} = {v}\n" for k, v in settings.items())

    def copy(self, primary):
        """Become a standby of primary."""
        os.chmod(self.folder, 0o700)
        if self.account.is_other:
            shutil.chown(self.folder, self.account.name)
        self.bin = primary.bin
        shutil.rmtree(self.data, ignore_errors=True)
        bindir = run([os.environ.get("PG_CONFIG", "pg_config"),
                      "--bindir"]).strip()
        self.run_as([f"{bindir}/pg_basebackup", "-D", self.data, "-X",
                     "stream", "--checkpoint=fast", "--no-sync", "-d",
                     primary.conninfo()])
        self.configure(
            primary_conninfo=f"'host=127.0.0.1 port={primary.port}"
                             f" user={SUPERUSER} application_name=standby'",
            synchronous_standby_names="''")
        (self.data / "standby.signal").touch()
        return self

    def ask(self, query, database="postgres"):
        """The first row, on a connection of its own."""
        connection = psycopg2.connect(self.conninfo(database)
                                      + " connect_timeout=3")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchone() if cursor.description else None
        finally:
            connection.close()

    def is_up(self):
        try:
            return self.ask("SELECT true")[0]
        except psycopg2.Error:
            return False

    def kill_postmaster(self):
        """It alone; its children notice by themselves, in their own time."""
        children = self._children()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        end = time.monotonic() + 5
        for pid in children:
            while _alive(pid):
                if time.monotonic() > end:
                    quiet_kill(pid)
                time.sleep(0.01)

    def power_off(self):
        """All at once: stopped first, so that no child outlives its parent
        for a moment in which it could go on alone."""
        os.kill(self.process.pid, signal.SIGSTOP)
        for pid in self._children():
            quiet_kill(pid)
        self.kill_postmaster()

    def start(self):
        """A child of the killed one may hold the shared memory for a while."""
        for _ in range(20):
            try:
                return super().start()
            except RuntimeError:
                time.sleep(0.25)
        return super().start()


def quiet_kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Pair:
    """primary and standby; lock is held by whoever does something to them."""

    def __init__(self, settings, network=None):
        self.lock = threading.RLock()
        self.network = network
        self.stopping = False
        self.pg_root = scratch_dir("usher-root-")
        os.chmod(self.pg_root, 0o755)
        # Both ports are known before anybody is told where to connect.
        self.primary = Node("a", self.pg_root, settings, network)
        self.standby = Node("b", self.pg_root, settings, network)
        while self.standby.port == self.primary.port:
            self.standby.port = free_port()
        self.nodes = self.primary, self.standby
        self.has_standby = False

    def create(self):
        self.primary.create().start()
        self.primary.create_database(DATABASE)
        for statement in TABLES.split(";\n"):
            if statement.strip():
                self.primary.psql(statement, DATABASE)
        self.primary.psql("VACUUM ANALYZE", DATABASE)
        self.add_standby()
        return self

    def conninfo(self, user, host="127.0.0.1"):
        """As a site writes it that wants to survive a failover."""
        ports = ",".join(str(node.port) for node in self.nodes)
        return (f"host={host},{host} port={ports} dbname={DATABASE}"
                f" user={user} target_session_attrs=read-write"
                " connect_timeout=2")

    def add_standby(self):
        """Copy, start, wait until it streams, then rely on it.  Whatever is
        killed meanwhile, try again."""
        while not self.stopping:
            try:
                self.standby.stop("immediate")
                self.standby.copy(self.primary)
                self.standby.start()
                eventually(self.streams, 20)
                self.primary.ask(
                    "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
                self.primary.ask("SELECT pg_reload_conf()")
                eventually(self.is_in_sync, 20)
                self.has_standby = True
                return
            except (psycopg2.Error, RuntimeError, TimeoutError):
                time.sleep(0.5)

    def streams(self, how="state = 'streaming'"):
        try:
            return self.primary.ask(
                "SELECT count(*) FROM pg_stat_replication WHERE "
                f"application_name = 'standby' AND {how}")[0] == 1
        except psycopg2.Error:
            return False

    def is_in_sync(self):
        """Whether all that the primary shows anybody is on the standby: also
        what came back by crash recovery, which waits for no standby."""
        try:
            lsn = self.primary.ask("SELECT pg_current_wal_flush_lsn()")[0]
        except psycopg2.Error:
            return False
        return self.streams("state = 'streaming' AND sync_state = 'sync'"
                            f" AND flush_lsn >= '{lsn}'")

    def wait_up(self, deadline_s=60):
        eventually(self.primary.is_up, deadline_s, 0.05, "a primary")

    def restart(self):
        self.primary.kill_postmaster()
        self.primary.start()

    def promote(self):
        """False if there is no standby that may be promoted."""
        if not self.has_standby:
            return False
        try:
            eventually(self.is_in_sync, 10)
        except TimeoutError:
            return False
        self.primary.power_off()
        self.has_standby = False
        self.primary, self.standby = self.standby, self.primary
        eventually(lambda: self.primary.ask("SELECT pg_promote()")[0], 30)
        return True

    def destroy(self):
        self.stopping = True
        for node in reversed(self.nodes):
            if node.process:
                node.stop("immediate")
            shutil.rmtree(node.folder, ignore_errors=True)
        shutil.rmtree(self.pg_root, ignore_errors=True)

    def crashes(self):
        """Server processes that died of something that we did not do."""
        for node in self.nodes:
            for line in node.log().splitlines():
                if "PANIC" in line or "TRAP:" in line or (
                        "was terminated by signal" in line
                        and "signal 9" not in line
                        and "signal 3" not in line):
                    yield f"{node.name}: {line}"


def all_rows(node):
    """(rows, heads) of what is in history, for the checker."""
    connection = psycopg2.connect(node.conninfo(DATABASE))
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT "group", seq, lpad(to_hex(tag), 16, \'0\'),'
                ' type::text, payload, xid::text FROM usher.message'
                ' ORDER BY "group", seq')
            rows = [(*row[:4], bytes(row[4]), row[5])
                    for row in cursor.fetchall()]
            cursor.execute('SELECT "group", seq,'
                           " lpad(to_hex(tag), 16, '0') FROM usher.group_seq")
            heads = {group: (seq, tag)
                     for group, seq, tag in cursor.fetchall()}
        return rows, heads
    finally:
        connection.close()


def interrupted(error):
    """Whether a fault only failed because another one was faster."""
    return isinstance(error, (psycopg2.OperationalError,
                              psycopg2.InterfaceError, ProcessLookupError))
