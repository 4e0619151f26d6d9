"""The checker finds what it is there to find: made-up runs, each with one
thing wrong, and one with nothing wrong."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from checker import Publishers, Table, check           # noqa: E402
from records import NO_TAG, digest, payload, row_line  # noqa: E402

GROUP = "t_1"


def tag(seq):
    return f"{seq:016x}"


def told(n):
    """How a client writes message n of publisher 0 down."""
    return f"{payload('j', 0, n, n)[1]} 0 {n}"


class Run:
    """Publisher 0 has sent messages 1, 2, ... to GROUP, one a transaction;
    client 7 has written down what says() was given."""

    def __init__(self, length=4):
        self.sent = [f"0 i {n} {n} j {GROUP} {payload('j', 0, n, n)[1]}"
                     for n in range(1, length + 1)]
        self.sent += [f"0 a {n}" for n in range(1, length + 1)]
        self.rows = [self.row(n, n) for n in range(1, length + 1)]
        self.lines = ["0 7 1 o v1 first"]
        self.at_rest = True

    @staticmethod
    def row(seq, n):
        text = '{"p": 0, "n": %d, "t": %d}' % (n, n)
        return row_line(GROUP, seq, tag(seq), "j", text.encode(), 1)

    def says(self, *lines):
        self.lines += [f"0 7 1 {line}" for line in lines]
        return self

    def subscribed(self, seq=0):
        return self.says(f"s {GROUP} - -",
                         f"S {GROUP} {seq} {tag(seq)} -")

    def told(self, *numbers):
        return self.says(*(f"m {GROUP} {n} {tag(n)} {told(n)}"
                           for n in numbers))

    def resumed(self, seq, recovered, since=None):
        since = since or (seq, tag(seq))
        return self.says("x 1006 -", "o v1 second",
                         f"s {GROUP} {since[0]} {since[1]}",
                         f"S {GROUP} {seq} {tag(seq)} {recovered}")

    def kinds(self, heads=None):
        table = Table(self.rows)
        length = table.length[GROUP]
        findings = check(
            table, heads or {GROUP: (length, tag(length))},
            Publishers().read(0, self.sent), [self.lines],
            at_rest=self.at_rest)
        return dict(findings.kinds)


def test_a_checker_has_nothing_to_say_about_a_good_run():
    run = Run().subscribed().told(1, 2).resumed(2, "true").told(3, 4)
    assert run.kinds() == {}


def test_checker_finds_a_lost_message():
    assert Run().subscribed().told(1, 2, 4).kinds() == {"message lost": 1}


def test_checker_finds_what_was_lost_between_two_connections():
    run = Run().subscribed().told(1).resumed(1, "true").told(3, 4)
    assert run.kinds() == {"message lost": 1}


def test_checker_finds_a_doubled_message():
    assert Run().subscribed().told(1, 2, 2, 3, 4).kinds() == {
        "message twice": 1}


def test_checker_finds_a_message_doubled_by_a_resume():
    run = Run().subscribed().told(1, 2).resumed(2, "true").told(2, 3, 4)
    assert run.kinds() == {"message twice": 1}


def test_checker_finds_messages_out_of_order():
    assert Run().subscribed().told(1, 3, 2, 4).kinds() == {
        "message out of order": 1}


def test_checker_finds_a_rolled_back_message_at_a_client():
    run = Run().subscribed().told(1, 2)
    run.sent += [f"0 i 9 9 j {GROUP} {payload('j', 0, 9, 9)[1]}", "0 b 9"]
    run.says(f"m {GROUP} 5 {tag(5)} {told(9)}").told(3, 4)
    assert run.kinds() == {"message of a rolled-back transaction": 1}


def test_checker_finds_a_rolled_back_message_in_the_table():
    run = Run().subscribed().told(1, 2, 3, 4)
    run.sent[-1] = "0 b 4"
    assert run.kinds() == {"rolled back, and in the table": 1}


def test_checker_finds_a_message_of_a_savepoint_that_was_undone():
    run = Run().subscribed().told(1, 2, 3, 4)
    run.sent.append("0 v 2 2")
    assert run.kinds() == {"rolled back, and in the table": 1}


def test_checker_finds_a_hole_that_is_not_announced():
    """The client came back with since and is served from somewhere later,
    without a word."""
    run = Run().subscribed().told(1).says(
        "x 1006 -", "o v1 second", f"s {GROUP} 1 {tag(1)}",
        f"S {GROUP} 3 {tag(3)} -").told(4)
    assert run.kinds() == {"subscribed does not say recovered": 1}


def test_checker_finds_a_hole_that_is_announced_without_need():
    run = Run().subscribed().told(1).resumed(
        3, "false", since=(1, tag(1))).told(4)
    assert run.kinds() == {"hole announced without need": 1}
    run = Run().subscribed().told(1).says(
        f"r {GROUP} 3 {tag(3)}").told(4)
    assert run.kinds() == {"hole announced without need": 1}


def test_a_hole_that_must_be_and_is_announced_is_none():
    run = Run().subscribed(2).resumed(3, "false", since=(2, "f" * 16)).told(4)
    assert run.kinds() == {}


def test_checker_finds_a_resume_from_what_never_was():
    run = Run().subscribed(2).resumed(3, "true", since=(2, "f" * 16)).told(
        3, 4)
    assert run.kinds() == {"recovered from what never was": 1}


def test_checker_finds_that_somebody_is_not_told_the_last_message():
    assert Run().subscribed().told(1, 2, 3).kinds() == {
        "behind at the end": 1}


def test_checker_finds_an_acknowledged_commit_that_is_gone():
    run = Run().subscribed().told(1, 2, 3)
    run.rows.pop()
    assert run.kinds() == {"acknowledged, and not in the table": 1}


def test_unknown_commits_may_be_either_but_not_half():
    run = Run().subscribed().told(1, 2, 3, 4)
    run.sent[-1] = "0 u 4"
    assert run.kinds() == {}
    run.sent.append(f"0 i 4 5 j {GROUP} {digest('j', 1)}")
    assert run.kinds() == {"half of a transaction in the table": 1}


def test_checker_finds_a_hole_in_the_table():
    run = Run().subscribed(3).told(4)
    del run.rows[1]
    run.sent = [line for line in run.sent if " 2" not in line]
    assert run.kinds() == {"hole in the table": 1}


def test_checker_finds_a_row_that_is_not_what_was_sent():
    run = Run().subscribed(3).told(4)
    run.sent[1] = f"0 i 2 2 j {GROUP} {digest('j', 'other')}"
    assert run.kinds() == {"row differs from what was sent": 1}


def test_checker_finds_rows_out_of_the_publisher_s_order():
    run = Run().subscribed(3).told(4)
    run.rows[1:3] = [run.row(2, 3), run.row(3, 2)]
    assert run.kinds() == {"row twice or out of the publisher's order": 1}


def test_checker_finds_a_wrong_tag_and_a_wrong_payload():
    run = Run().subscribed().told(1, 2, 3)
    run.says(f"m {GROUP} 4 {tag(9)} {told(4)}")
    assert run.kinds() == {"tag differs from the row's": 1}
    run = Run().subscribed().told(1, 2, 3)
    run.says(f"m {GROUP} 4 {tag(4)} {told(3)}")
    assert run.kinds() == {"payload differs from the row's": 1}


def test_checker_finds_group_seq_that_is_not_the_last_row():
    run = Run().subscribed().told(1, 2, 3, 4)
    assert run.kinds(heads={GROUP: (5, tag(5))}) == {
        "group_seq and message differ": 1}


def test_raw_connections_are_judged_by_what_they_were_sent():
    def raw(*numbers, since=2):
        run = Run()
        run.lines = [f"0 7 1 s {GROUP} {since} {tag(since)}",
                     "0 7 1 o raw first",
                     f"0 7 1 S {GROUP} {since} {tag(since)} -"]
        for n in numbers:
            text = '{"p": 0, "n": %d, "t": %d}' % (n, n)
            run.lines.append(
                f"0 7 1 m {GROUP} - - {digest('t', text)} 0 {n}")
        return run.kinds()

    assert raw(3, 4) == {}
    assert raw(4) == {"message lost": 1}
    assert raw(2, 3, 4) == {"message twice": 1}
    assert raw(4, 3) == {"message out of order": 1}
    assert raw(3) == {"behind at the end": 1}


def test_an_empty_group_is_a_position_too():
    run = Run(2).says(f"s {GROUP} - -", f"S {GROUP} 0 {NO_TAG} -").says(
        "x 1006 -", "o v1 second", f"s {GROUP} 0 {NO_TAG}",
        f"S {GROUP} 1 {tag(1)} true").told(1, 2)
    assert run.kinds() == {}
