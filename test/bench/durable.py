"""Durable groups: publishes per second by doorbell, from commit to frame, and
what those who come back are told."""
import json
import os
import subprocess
import time
from pathlib import Path

from harness.process import run
from memberships import Clients, text_frame

PUBLISHERS = (1, 4, 16, 32)
GROUPS = 100

# What one transaction does, and under which doorbell.
WORKLOADS = (
    ("plain INSERT of the same row", None,
     "INSERT INTO bench_plain (\"group\", tag, type, payload) VALUES "
     "('kept_' || :g, 0, 't', convert_to(:payload, 'UTF8'));"),
    ("INSERT and NOTIFY", None,
     "BEGIN; INSERT INTO bench_plain (\"group\", tag, type, payload) VALUES "
     "('kept_' || :g, 0, 't', convert_to(:payload, 'UTF8')); "
     "SELECT pg_notify('bench', '' || :g); COMMIT;"),
    ("durable, doorbell worker", "worker",
     "SELECT usher.broadcast_text('kept_' || :g, :payload);"),
    ("durable, doorbell none", "none",
     "SELECT usher.broadcast_text('kept_' || :g, :payload);"),
    ("durable, doorbell notify", "notify",
     "SELECT usher.broadcast_text('kept_' || :g, :payload);"),
)

PREPARE = """
SELECT usher.set_category('kept', "join" => 'authenticated', durable => true,
                          keep_messages => NULL);
CREATE TABLE bench_plain (id bigint GENERATED ALWAYS AS IDENTITY,
    "group" text, tag bigint, xid xid8 DEFAULT pg_current_xact_id(),
    at timestamptz DEFAULT clock_timestamp(), type "char", payload bytea,
    PRIMARY KEY ("group", id));
CREATE INDEX ON bench_plain (xid);
"""


def prepare(cluster, database):
    for statement in PREPARE.split(";\n"):
        cluster.psql(statement, database)


def pgbench_path():
    """It stands beside the server that is installed, not in private ones."""
    return Path(run(["pg_config", "--bindir"]).strip()) / "pgbench"


def pgbench(cluster, database, doorbell, sql, publishers, seconds):
    """Transactions per second."""
    script = cluster.folder / "bench.sql"
    script.write_text(f"\\set g random(1, {GROUPS})\n" + sql.replace(
        ":payload", "'0123456789012345678901234567890123456789'") + "\n")
    os.chmod(script, 0o644)
    options = f"-c usher.doorbell={doorbell}" if doorbell else ""
    done = subprocess.run(
        [str(pgbench_path()), "-n", "-M", "prepared", "-c",
         str(publishers), "-j", "2", "-T", str(seconds), "-f", str(script),
         cluster.conninfo(database)],
        env={**os.environ, "PGOPTIONS": options}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    line = next(l for l in done.stdout.splitlines() if l.startswith("tps"))
    return float(line.split()[2])


def publishing(cluster, database, seconds, rounds):
    """A listener reads along.  Rounds are interleaved; the median counts."""
    rates = {}
    for _ in range(rounds):
        for publishers in PUBLISHERS:
            for name, doorbell, sql in WORKLOADS:
                rates.setdefault((name, publishers), []).append(
                    pgbench(cluster, database, doorbell, sql, publishers,
                            seconds))
    median = {key: sorted(all)[len(all) // 2] for key, all in rates.items()}
    print("| transactions per second, publishers: | "
          + " | ".join(str(p) for p in PUBLISHERS) + " |")
    print("|---" * (len(PUBLISHERS) + 1) + "|")
    for name, _, _ in WORKLOADS:
        print(f"| {name} | " + " | ".join(
            f"{median[name, p]:,.0f}" for p in PUBLISHERS) + " |")
    worker = median["durable, doorbell worker", 16]
    return worker, worker / median["plain INSERT of the same row", 16]


def percentiles(times_s):
    times_s.sort()
    return tuple(times_s[int(len(times_s) * share)] * 1e3
                 for share in (0.5, 0.99))


def commit_to_frame(cluster, database, usherd, doorbell, messages, rate):
    """Milliseconds from the call, and from its answer, to the frame."""
    client = usherd.connect("kept_latency", token="0" * 40)
    connection = cluster.connect(database)
    cursor = connection.cursor()
    cursor.execute(f"SET usher.doorbell = '{doorbell}'")
    calls, answers = [], []
    for _ in range(messages):
        began = time.perf_counter()
        cursor.execute("SELECT usher.broadcast_text('kept_latency', 'x')")
        answered = time.perf_counter()
        client.receive()
        now = time.perf_counter()
        calls.append(now - began)
        answers.append(now - answered)
        time.sleep(1 / rate)
    client.close()
    connection.close()
    return percentiles(calls), percentiles(answers)


def positions(cluster, database, group, after):
    connection = cluster.connect(database)
    cursor = connection.cursor()
    cursor.execute("SELECT seq, tag FROM usher.history(%s, %s, 1)",
                   [group, after - 1])
    seq, tag = cursor.fetchone()
    connection.close()
    return {"seq": seq, "tag": tag}


def publish_many(cluster, database, group, count):
    cluster.psql(f"SELECT count(usher.broadcast_text('{group}', 'message'))"
                 f" FROM generate_series(1, {count})", database)


def resume(usherd, since, count, group):
    """Seconds until one client has been told that many messages."""
    began = time.perf_counter()
    client = usherd.connect(group, token="0" * 40,
                            query=f"?since={since['seq']}.{since['tag']}")
    for _ in range(count):
        client.receive()
    took = time.perf_counter() - began
    client.close()
    return took


def stream_calls(cluster, database):
    return int(cluster.psql(
        "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions "
        "WHERE schemaname = 'usher' AND funcname = 'stream'", database))


class Resuming(Clients):
    """Clients who all come back to one of some groups."""

    def come_back(self, since, missed):
        names = list(since)
        for number, connection in enumerate(self.sockets):
            name = names[number % len(names)]
            self.waiting[connection] = [b'"type":"message"', missed]
            connection.sendall(text_frame(json.dumps(
                {"type": "subscribe", "group": name, "since": since[name]})))
        while self.waiting:
            self._read()


def storm(cluster, database, usherd, clients, groups, missed, cpu_seconds):
    names = [f"kept_storm{i}" for i in range(groups)]
    for name in names:
        publish_many(cluster, database, name, missed + 1)
    since = {name: positions(cluster, database, name, 1) for name in names}
    crowd = Resuming(usherd.port, clients)
    time.sleep(1)
    before = stream_calls(cluster, database)
    cpu = cpu_seconds(usherd.pid)
    began = time.perf_counter()
    crowd.come_back(since, missed)
    took = time.perf_counter() - began
    cpu = cpu_seconds(usherd.pid) - cpu
    crowd.close()
    time.sleep(1.5)  # statistics are written with a delay
    return took, cpu, stream_calls(cluster, database) - before


def retention(cluster, database, listener, seconds):
    """Sizes of the message table in MB while 1,000 messages a second come
    and none is kept for longer than ten seconds."""
    cluster.psql("SELECT usher.set_category('brief', durable => true, "
                 "keep => '10 s', keep_messages => NULL)", database)
    cluster.psql("TRUNCATE usher.message, usher.group_seq", database)
    usherd = listener(cluster, purge_interval="1s")
    script = cluster.folder / "brief.sql"
    script.write_text(f"\\set g random(1, {GROUPS})\nSELECT usher."
                      "broadcast_text('brief_' || :g, repeat('x', 100));\n")
    os.chmod(script, 0o644)
    load = subprocess.Popen(
        [str(pgbench_path()), "-n", "-M", "prepared", "-c", "4", "-R", "1000",
         "-T", str(seconds), "-f", str(script), cluster.conninfo(database)],
        env={**os.environ, "PGOPTIONS": "-c usher.doorbell=worker"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sizes = []
    while load.poll() is None:
        time.sleep(seconds / 12)
        sizes.append(int(cluster.psql(
            "SELECT pg_total_relation_size('usher.message')", database)) / 1e6)
    usherd.stop()
    usherd.remove()
    return sizes


def durable_figures(cluster, database, listener, row, cpu_seconds, options):
    prepare(cluster, database)
    usherd = listener(cluster)
    rate, ratio = publishing(cluster, database, options.durable_seconds,
                             options.durable_rounds)
    print()
    print("| what | measured | aim | met |")
    print("|---|---|---|---|")
    row("durable publishes per second, 16 publishers, doorbell worker",
        f"{rate:,.0f}", "10,000", rate >= 1e4)
    row("the same, as a share of plain INSERT", f"{ratio:.2f}", "0.5",
        ratio >= 0.5)
    for doorbell in "worker", "notify":
        call, answer = commit_to_frame(cluster, database, usherd, doorbell,
                                       1000, 200)
        row(f"from commit to frame at 200 a second, doorbell {doorbell}",
            f"{answer[0]:.2f} ms p50, {answer[1]:.2f} ms p99 (from the call "
            f"{call[0]:.2f}, {call[1]:.2f})", "p99 20 ms", answer[1] <= 20)
    publish_many(cluster, database, "kept_resume", 1001)
    since = positions(cluster, database, "kept_resume", 1)
    first = resume(usherd, since, 1000, "kept_resume")
    keeper = usherd.connect("kept_resume", token="0" * 40)
    took = min(resume(usherd, since, 1000, "kept_resume") for _ in range(5))
    keeper.close()
    row("connect and resume of 1,000 messages, from the database", f"{first * 1e3:.1f} ms",
        "100 ms", first <= 0.1)
    row("the same from memory", f"{took * 1e3:.1f} ms", "100 ms", took <= 0.1)
    usherd.stop()
    usherd.remove()
    sizes = retention(cluster, database, listener, options.retention_seconds)
    half = max(sizes[:len(sizes) // 2])
    row(f"size of the message table after {options.retention_seconds // 2} "
        f"and {options.retention_seconds} s of 1,000 messages a second, kept "
        "for 10 s", f"{half:.1f} MB, {max(sizes):.1f} MB",
        "no more than 1.5 times as large", max(sizes) <= 1.5 * half)
    usherd = listener(cluster)
    took, cpu, calls = storm(cluster, database, usherd, options.idle, 100, 50,
                             cpu_seconds)
    row(f"storm: {options.idle:,} clients come back to 100 groups of a new "
        "listener, 50 messages missed by each",
        f"{took:.2f} s, {cpu:.2f} s of the listener's CPU, {calls} questions "
        "to PostgreSQL", "5 s", took <= 5)
    usherd.stop()
    usherd.remove()
