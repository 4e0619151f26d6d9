"""Judges a run by its logs alone: the table's, the publishers', the clients'.

Knows nothing of how Usher works, only what it promises:

  - per group, seq is 1, 2, 3 ... without a hole, and what one publisher sent
    is in his order;
  - what was acknowledged is in the table, what was rolled back is not, and of
    a transaction whose end is unknown either all or nothing is;
  - a client is sent, from each position on, exactly the rows of the table, in
    their order; a stream may begin anew only where that is said
    (recovered false, reset, 409), and is said only when it must be;
  - once all has come to rest everybody has got to the end.

    checker.py DIR [RESUME_LIMIT]     judge a run again whose logs were kept
"""
import collections
import json
import sys
from pathlib import Path

from records import NO_TAG
from streams import Streams

Row = collections.namedtuple("Row", "tag kind digest raw p n xid")


class Findings:
    """Violations by kind, with the first of each told in full."""

    SHOWN = 20

    def __init__(self):
        self.kinds = collections.Counter()
        self.texts = []
        self.counts = collections.Counter()

    def add(self, kind, text, lines=()):
        self.kinds[kind] += 1
        if self.kinds[kind] <= self.SHOWN:
            self.texts.append("\n    ".join([f"{kind}: {text}", *lines]))

    @property
    def total(self):
        return sum(self.kinds.values())


class Table:
    """What usher.message holds at the end."""

    def __init__(self, lines):
        self.rows = {}              # (group, seq) -> Row
        self.length = collections.Counter()
        self.of_message = collections.defaultdict(list)  # (p, n) -> places
        for line in lines:
            group, seq, tag, kind, digest, raw, p, n, xid = line.split()
            place = group, int(seq)
            if p != "-":
                p, n = int(p), int(n)
                self.of_message[p, n].append(place)
            self.rows[place] = Row(tag, kind, digest, raw, p, n, xid)
            self.length[group] = max(self.length[group], place[1])

    def has(self, group, seq, tag):
        """Whether (seq, tag) is a position of the group's history."""
        if seq == 0:
            return tag == NO_TAG
        row = self.rows.get((group, seq))
        return row is not None and row.tag == tag

    def seq_of(self, group, p, n):
        return next((seq for place, seq in self.of_message.get((p, n), ())
                     if place == group), None)


class Publishers:
    """What the publishers meant to do, and what became of it."""

    def __init__(self):
        self.messages = {}          # (p, n) -> (t, kind, groups, digest)
        self.undone = set()         # (p, n) behind a savepoint
        self.fate = {}              # (p, t) -> a, b or u

    def read(self, number, lines):
        for line in lines:
            _, event, t, *rest = line.split()
            if event == "i":
                n, kind, groups, digest = rest
                self.messages[number, int(n)] = (
                    int(t), kind, groups.split(","), digest)
            elif event == "v":
                self.undone.add((number, int(rest[0])))
            else:
                self.fate[number, int(t)] = event
        return self

    def of(self, p, n):
        """What became of a message: a, b, u; undone counts as rolled back."""
        message = self.messages.get((p, n))
        if message is None:
            return None
        return "b" if (p, n) in self.undone \
            else self.fate.get((p, message[0]), "u")


def check_table(table, heads, findings):
    """Dense, and group_seq says the same; heads: group -> (seq, tag)."""
    for group, length in table.length.items():
        for seq in range(1, length + 1):
            if (group, seq) not in table.rows:
                findings.add("hole in the table", f"{group} {seq} is missing")
    for group, (seq, tag) in heads.items():
        if seq != table.length[group] or not table.has(group, seq, tag):
            findings.add("group_seq and message differ",
                         f"{group} is at {seq} {tag}, the last row is "
                         f"{table.length[group]}")


def check_rows(table, publishers, findings):
    """Every row is what somebody sent, once, and is in his order."""
    latest = {}
    for (group, seq), row in sorted(table.rows.items()):
        where = f"{group} {seq} (publisher {row.p}, message {row.n})"
        sent = publishers.messages.get((row.p, row.n))
        if sent is None or group not in sent[2]:
            findings.add("row that nobody sent", where)
            continue
        if publishers.of(row.p, row.n) == "b":
            findings.add("rolled back, and in the table", where)
        if (row.kind, row.digest) != (sent[1], sent[3]):
            findings.add("row differs from what was sent", where)
        if latest.get((group, row.p), 0) >= row.n:
            findings.add("row twice or out of the publisher's order", where)
        latest[group, row.p] = row.n


def check_commits(table, publishers, findings):
    """Acknowledged: all there.  Unknown: all or nothing."""
    present = collections.defaultdict(list)
    for (p, n), (t, _, groups, _) in publishers.messages.items():
        fate = publishers.of(p, n)
        findings.counts["messages " + {"a": "committed", "b": "rolled back",
                                       "u": "unknown"}[fate]] += 1
        if fate == "b":
            continue
        there = set(group for group, _ in table.of_message.get((p, n), ()))
        if fate == "u":
            present[p, t].append(len(there) / len(groups))
        elif there != set(groups):
            findings.add("acknowledged, and not in the table",
                         f"publisher {p}, message {n}, transaction {t}: "
                         f"{sorted(set(groups) - there)}")
    for (p, t), shares in present.items():
        if sum(shares) not in (0, len(shares)):
            findings.add("half of a transaction in the table",
                         f"publisher {p}, transaction {t}: {shares}")
    findings.counts["transactions acknowledged"] = sum(
        fate == "a" for fate in publishers.fate.values())
    findings.counts["transactions unknown"] = sum(
        fate == "u" for fate in publishers.fate.values())


def check(table, heads, publishers, client_logs, resume_limit=10000,
          at_rest=True):
    """All of it.  client_logs: iterables of lines, one for each process.
    at_rest: whether everybody had time to get to the end."""
    findings = Findings()
    check_table(table, heads, findings)
    check_rows(table, publishers, findings)
    check_commits(table, publishers, findings)
    findings.counts["rows"] = len(table.rows)
    for lines in client_logs:
        streams = Streams(table, publishers, findings, resume_limit)
        streams.read(lines)
        streams.finish(at_rest)
    return findings


def check_folder(folder, resume_limit=10000):
    """Judge the logs of a run, as torture.py leaves them in a folder."""
    folder = Path(folder)
    with open(folder / "table.log") as lines:
        table = Table(lines)
    publishers = Publishers()
    for path in folder.glob("publisher-*.log"):
        with open(path) as lines:
            publishers.read(int(path.stem.split("-")[1]), lines)
    heads = json.loads((folder / "heads.json").read_text())
    logs = [open(path) for path in sorted(folder.glob("clients-*.log"))]
    try:
        return check(table, heads, publishers, logs, resume_limit)
    finally:
        for log in logs:
            log.close()


def main():
    findings = check_folder(sys.argv[1], *map(int, sys.argv[2:]))
    for text in findings.texts:
        print(text)
    print(json.dumps({**findings.counts, "violations": findings.kinds},
                     indent=2))
    return 1 if findings.total else 0


if __name__ == "__main__":
    sys.exit(main())
