"""usher.doorbell: who tells listeners that a durable message is there."""
import os
import select
import signal
import time
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest

from harness.cluster import Cluster

# Long enough for a worker to start on a busy machine.
PATIENCE_S = 10


@pytest.fixture(scope="module")
def server():
    settings = {"shared_preload_libraries": "'usher'",
                "max_prepared_transactions": "5",
                "synchronous_commit": "on", "fsync": "off"}
    with Cluster(settings=settings) as cluster:
        yield cluster


class Database:
    """A database with the extension, and a durable category in it."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        cluster.create_database(name)
        self("CREATE EXTENSION usher")
        self("SELECT usher.set_category('kept', durable => true)")

    def __call__(self, sql):
        return self.cluster.psql(sql, self.name)

    def connect(self):
        return self.cluster.connect(self.name)

    def publish(self, doorbell, count=1):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SET usher.doorbell = '{doorbell}'")
            for i in range(count):
                cursor.execute("SELECT usher.broadcast('kept_1', %s)",
                               [str(i)])
        connection.close()

    def worker(self):
        """The pid of its worker, or None."""
        pid = self("SELECT pid FROM pg_stat_activity WHERE backend_type ="
                   f" 'usher doorbell' AND datname = '{self.name}'")
        return int(pid) if pid else None


class Ear:
    """LISTENs to the shared channel."""

    def __init__(self, database):
        self.connection = database.connect()
        cursor = self.connection.cursor()
        cursor.execute("SELECT channel FROM usher.instance")
        cursor.execute(f'LISTEN "{cursor.fetchone()[0]}"')

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.connection.close()

    def heard(self, wait_s):
        """Everything until that long nothing has come."""
        payloads = []
        while select.select([self.connection], [], [], wait_s)[0]:
            self.connection.poll()
            payloads += [one.payload for one in self.connection.notifies]
            self.connection.notifies.clear()
            wait_s = min(wait_s, 0.5)
        return payloads


def launcher(cluster):
    """Its pid, or None.  It belongs to no database, so no view shows it."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "usher doorbell launcher" in (folder / "cmdline").read_text() \
                    and f"PPid:\t{cluster.process.pid}\n" in \
                    (folder / "status").read_text():
                return int(folder.name)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended
    return None


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


@pytest.fixture(scope="module")
def one(server):
    return Database(server, "one")


@pytest.fixture(scope="module")
def two(server):
    return Database(server, "two")


def test_notify_is_what_happens_without_a_setting(one):
    assert one("SHOW usher.doorbell") == "notify"


@pytest.mark.parametrize("doorbell", ["notify", "worker"])
def test_a_durable_message_rings_once_it_is_committed(one, doorbell):
    with Ear(one) as ear:
        one.publish(doorbell)
        assert set(ear.heard(PATIENCE_S)) == {"b"}


def test_with_none_nobody_rings(one):
    with Ear(one) as ear:
        one.publish("none", 3)
        assert ear.heard(1) == []


@pytest.mark.parametrize("doorbell", ["notify", "worker", "none"])
def test_what_is_rolled_back_rings_nothing(one, doorbell):
    connection = one.connect()
    connection.autocommit = False
    with Ear(one) as ear:
        cursor = connection.cursor()
        cursor.execute(f"SET usher.doorbell = '{doorbell}'")
        cursor.execute("SELECT usher.broadcast('kept_1', '1')")
        connection.rollback()
        assert ear.heard(1) == []
    connection.close()


def test_a_transaction_rings_once_for_all_it_published(one):
    for doorbell in "notify", "worker":
        with Ear(one) as ear:
            one(f"SET usher.doorbell = '{doorbell}';"
                "BEGIN; SELECT count(usher.broadcast('kept_1', '1')) "
                "FROM generate_series(1, 50); COMMIT")
            assert ear.heard(PATIENCE_S) == ["b"]


def test_a_worker_rings_once_for_all_who_committed_meanwhile(one):
    one.publish("worker")
    wait_until(one.worker)
    pid = one.worker()
    with Ear(one) as ear:
        ear.heard(0.5)
        os.kill(pid, signal.SIGSTOP)
        try:
            one.publish("worker", 50)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert ear.heard(PATIENCE_S) == ["b"]


def test_each_database_has_a_worker_of_its_own(one, two):
    with Ear(one) as first, Ear(two) as second:
        two.publish("worker")
        assert set(second.heard(PATIENCE_S)) == {"b"}
        assert first.heard(0.2) == []
        one.publish("worker")
        assert set(first.heard(PATIENCE_S)) == {"b"}
        assert second.heard(0.2) == []
    assert one.worker() and two.worker() and one.worker() != two.worker()


def test_publishers_of_a_worker_do_not_wait_for_those_who_notify(one, two):
    """While a transaction that notifies commits, the others must wait: here it
    waits for a standby that there is not."""
    one("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    one("SELECT pg_reload_conf()")
    wait_until(lambda: one("SHOW synchronous_standby_names") == "nobody")
    stuck = psycopg2.connect(one.cluster.conninfo(two.name), async_=1)
    try:
        psycopg2.extras.wait_select(stuck)
        waiting = stuck.cursor()
        waiting.execute(
            "SET synchronous_commit = 'on'; CREATE TEMP TABLE t();"
            "SELECT usher.broadcast('kept_1', '1')")
        wait_until(lambda: one(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND "
            "classid = 'pg_database'::regclass AND objid = 0 AND granted")
            == "1")
        for doorbell, waits in ("worker", False), ("none", False), \
                ("notify", True):
            connection = one.connect()
            cursor = connection.cursor()
            cursor.execute("SET synchronous_commit = 'local';"
                           "SET usher.on_async_commit = 'ignore';"
                           "SET lock_timeout = '1s';"
                           f"SET usher.doorbell = '{doorbell}'")
            if waits:
                with pytest.raises(psycopg2.errors.LockNotAvailable):
                    cursor.execute("SELECT usher.broadcast('kept_1', '1')")
            else:
                cursor.execute("SELECT usher.broadcast('kept_1', '1')")
            connection.close()
    finally:
        one("ALTER SYSTEM RESET synchronous_standby_names")
        one("SELECT pg_reload_conf()")
        psycopg2.extras.wait_select(stuck)
        stuck.close()


def test_a_worker_that_is_ended_comes_back_when_somebody_rings(one):
    one.publish("worker")
    wait_until(one.worker)
    pid = one.worker()
    one(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert one.worker() != pid
    with Ear(one) as ear:
        one.publish("worker")
        assert set(ear.heard(PATIENCE_S)) == {"b"}


def test_a_launcher_that_is_ended_comes_back(one):
    pid = launcher(one.cluster)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: launcher(one.cluster) not in (None, pid))
    one("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE backend_type = 'usher doorbell'")
    with Ear(one) as ear:
        one.publish("worker")
        assert set(ear.heard(PATIENCE_S)) == {"b"}


def test_after_a_worker_breaks_down_all_comes_up_again(one):
    one.publish("worker")
    wait_until(one.worker)
    os.kill(one.worker(), signal.SIGKILL)

    def is_back():
        try:
            return one("SELECT 1") == "1"
        except RuntimeError:
            return False
    time.sleep(0.2)
    wait_until(is_back)
    with Ear(one) as ear:
        one.publish("worker")
        assert set(ear.heard(PATIENCE_S)) == {"b"}


def test_a_prepared_transaction_neither_fails_nor_rings_under_a_worker(one):
    with Ear(one) as ear:
        one("SET usher.doorbell = 'worker'; BEGIN;"
            "SELECT usher.broadcast('kept_2', '1'); PREPARE TRANSACTION 'p'")
        one("COMMIT PREPARED 'p'")
        assert one("SELECT count(*) FROM usher.history('kept_2')") == "1"
        assert ear.heard(0.5) == []


def test_a_worker_whose_extension_is_gone_ends(server):
    gone = Database(server, "gone")
    gone.publish("worker")
    wait_until(gone.worker)
    pid = gone.worker()
    connection = gone.connect()
    cursor = connection.cursor()
    cursor.execute("SET usher.doorbell = 'worker'")
    connection.autocommit = False
    cursor.execute("SELECT usher.broadcast('kept_1', '1')")
    cursor.execute("DROP EXTENSION usher")
    connection.commit()
    connection.close()
    wait_until(lambda: gone.worker() != pid)
    wait_until(lambda: not gone.worker())
    server.psql('DROP DATABASE "gone"')


def test_without_preload_a_worker_is_refused_with_advice(cluster):
    database = Database(cluster, "unloaded")
    with pytest.raises(RuntimeError) as refused:
        database("LOAD 'usher'; SET usher.doorbell = 'worker'")
    assert "shared_preload_libraries" in str(refused.value)
    # set before anybody could know better: a warning, and it is notify
    connection = database.connect()
    cursor = connection.cursor()
    cursor.execute("SET usher.doorbell = 'worker'")
    cursor.execute("SELECT usher.broadcast('kept_1', '1')")
    assert any("usher.doorbell" in notice for notice in connection.notices)
    cursor.execute("SHOW usher.doorbell")
    assert cursor.fetchone() == ("notify",)
    connection.close()


def test_what_can_be_lost_is_published_with_a_warning_or_not_at_all(one):
    def publish(**settings):
        connection = one.connect()
        connection.autocommit = False
        cursor = connection.cursor()
        for name, value in settings.items():
            cursor.execute(f"SET {name.replace('__', '.')} = '{value}'")
        cursor.execute("SELECT usher.broadcast('kept_1', '1')")
        cursor.execute("SELECT usher.broadcast('kept_1', '2')")
        connection.commit()
        notices = [n for n in connection.notices if "could be lost" in n]
        connection.close()
        return len(notices)

    assert publish() == 0
    assert publish(synchronous_commit="off") == 1
    assert publish(synchronous_commit="off",
                   usher__on_async_commit="ignore") == 0
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        publish(synchronous_commit="off", usher__on_async_commit="refuse")
    # nobody waits for a standby here, so this is on the disk
    assert publish(synchronous_commit="local") == 0
