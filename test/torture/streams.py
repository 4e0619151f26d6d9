"""Judges what clients were sent, connection by connection, group by group.

A stream is what one client is sent about one group from a subscribed (or a
reset) on.  It knows which seq must come next.  What was passed over waits in
`missing` until the stream ends: if it comes after all it was out of order, if
not it was lost.
"""
import collections
from pathlib import Path

KEPT_LINES = 6


class Stream:
    """expected is the seq that must come next; None: of a raw connection
    without since, not known before its first message.  position is the last
    (seq, tag) that the client was told."""

    def __init__(self, expected, position):
        self.expected = expected
        self.position = position
        self.missing = {}


class Streams:
    """The clients of one log."""

    def __init__(self, table, publishers, findings, resume_limit):
        self.table = table
        self.publishers = publishers
        self.findings = findings
        self.resume_limit = resume_limit
        self.open = {}              # (client, group) -> Stream
        self.asked = {}             # (client, group) -> since or None
        self.raw = {}               # client -> whether this connection is raw
        self.groups = {}            # client -> groups it ever was in
        self.lines = collections.defaultdict(
            lambda: collections.deque(maxlen=KEPT_LINES))
        self.where = None

    def read(self, lines):
        actions = {"o": self.on_open, "s": self.on_ask,
                   "S": self.on_subscribed, "m": self.on_message,
                   "r": self.on_reset, "U": self.on_left, "x": self.on_closed,
                   "e": self.on_error, "u": lambda client: None}
        name = Path(getattr(lines, "name", "clients")).name
        for number, line in enumerate(lines, 1):
            _, client, _, event, *words = line.split()
            client = int(client)
            group = words[0] if event in "sSmruUe" else "-"
            self.where = client, group
            self.lines[self.where].append(f"{name}:{number}: {line.strip()}")
            if event == "u":
                continue
            actions[event](client, *words)

    def add(self, kind, text):
        client, group = self.where
        self.findings.add(kind, f"client {client}, {group}: {text}",
                          self.lines[self.where])

    def count(self, what):
        self.findings.counts[what] += 1

    # ---- one event each -------------------------------------------------

    def on_open(self, client, mode, listener):
        self.raw[client] = mode == "raw"
        self.count(f"connections {mode}")

    def on_ask(self, client, group, seq, tag):
        self.asked[client, group] = None if seq == "-" else (int(seq), tag)
        self.groups.setdefault(client, set()).add(group)

    def on_subscribed(self, client, group, seq, tag, recovered):
        since = self.asked.get((client, group))
        self.end_stream(client, group)
        if self.raw[client]:
            self.count("raw with since" if since else "raw without since")
            # What it gave as since is its own idea: right, or refused.
            if since and not self.table.has(group, *since):
                self.add("recovered from what never was", f"since {since}")
            self.begin(since and since[0] + 1, since)
            return
        if seq == "-":
            self.add("subscribed without a position", "")
            return
        seq = int(seq)
        if not self.table.has(group, seq, tag):
            self.add("position that is not in the table", f"{seq} {tag}")
        if since is None:
            self.count("subscribed without since")
            if recovered != "-":
                self.add("recovered, and nobody asked", recovered)
            self.begin(seq + 1, (seq, tag))
        elif recovered == "true":
            self.count("resumed, recovered true")
            if not self.table.has(group, *since):
                self.add("recovered from what never was", f"since {since}")
            if seq < since[0]:
                self.add("position goes back", f"from {since[0]} to {seq}")
            self.begin(since[0] + 1, since)
        elif recovered == "false":
            self.count("resumed, recovered false")
            self.check_needed(group, since, seq)
            self.begin(seq + 1, (seq, tag))
        else:
            self.add("subscribed does not say recovered", f"since {since}")
            self.begin(seq + 1, (seq, tag))

    def on_message(self, client, group, seq, tag, digest, p, n):
        self.count("deliveries")
        stream = self.open.get((client, group))
        if stream is None:
            self.add("message outside of a subscription", seq)
            return
        if not self.raw[client]:
            if seq == "-":
                self.add("message without a position", "")
                return
            seq = int(seq)
        else:
            seq = self.table.seq_of(group, *identity(p, n))
        row = self.table.rows.get((group, seq))
        if row is None:
            fate = self.publishers.of(*identity(p, n))
            self.add("message of a rolled-back transaction" if fate == "b"
                     else "message that is not in the table", f"{p} {n}")
            return
        if not self.raw[client] and tag != row.tag:
            self.add("tag differs from the row's", f"{tag}, not {row.tag}")
        if digest != (row.raw if self.raw[client] else row.digest):
            self.add("payload differs from the row's", f"seq {seq}")
        self.advance(stream, seq)
        stream.position = seq, tag

    def advance(self, stream, seq):
        if stream.expected is None or seq == stream.expected:
            pass
        elif seq in stream.missing:
            del stream.missing[seq]
            self.add("message out of order",
                     f"{seq} came behind {stream.expected - 1}")
            return
        elif seq < stream.expected:
            self.add("message twice", f"{seq}, already at "
                                      f"{stream.expected - 1}")
            return
        else:
            lines = list(self.lines[self.where])
            for passed in range(stream.expected, seq):
                stream.missing[passed] = lines
        stream.expected = seq + 1

    def on_reset(self, client, group, seq, tag):
        self.count("resets")
        stream = self.open.get((client, group))
        if stream is None:
            self.add("reset outside of a subscription", seq)
            return
        seq = int(seq)
        self.check_needed(group, stream.position, seq)
        self.end_stream(client, group)
        if not self.table.has(group, seq, tag):
            self.add("position that is not in the table", f"{seq} {tag}")
        self.begin(seq + 1, (seq, tag))

    def on_left(self, client, group):
        self.end_stream(client, group)

    def on_closed(self, client, code, reason):
        self.count(f"ends {code} {reason}")
        for group in self.groups.get(client, ()):
            self.where = client, group
            if code in ("409", "4409"):
                since = self.asked.get((client, group))
                if since and self.table.has(group, *since):
                    self.add("hole announced without need",
                             f"{code} to since {since}")
                self.open.pop((client, group), None)
            self.end_stream(client, group)

    def on_error(self, client, group, code, reason):
        self.count(f"errors {code} {reason}")

    # ---- streams --------------------------------------------------------

    def check_needed(self, group, since, seq):
        """History is never trimmed here, so whoever holds a position that is
        in it, and not too far back, must be served from there."""
        if self.table.has(group, *since) and \
                seq - since[0] <= self.resume_limit:
            self.add("hole announced without need", f"since {since}")

    def begin(self, expected, position):
        self.open[self.where] = Stream(expected, position)

    def end_stream(self, client, group):
        stream = self.open.pop((client, group), None)
        if stream is None or not stream.missing:
            return
        lost = sorted(stream.missing)
        self.findings.add(
            "message lost", f"client {client}, {group}: {spans(lost)}",
            stream.missing[lost[0]])

    def finish(self, at_rest):
        """The log is over; at rest, everyone must have come to the end."""
        for client, groups in sorted(self.groups.items()):
            for group in sorted(groups):
                self.where = client, group
                stream = self.open.get(self.where)
                length = self.table.length[group]
                if at_rest and length and (
                        stream is None or (stream.expected or 1) <= length):
                    self.add("behind at the end", "not connected"
                             if stream is None else
                             f"expects {stream.expected} of {length}")
                self.end_stream(client, group)


def identity(p, n):
    return (int(p), int(n)) if p != "-" else (p, n)


def spans(numbers):
    """5, 6, 7, 9 as "5-7, 9"."""
    out = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in out)
