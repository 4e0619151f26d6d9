"""Fan-out: a burst arrives whole and in order, and a reader who stops costs
nobody anything but himself."""
import os
import re

import pytest
from harness import Usherd, eventually
from harness.raw import Raw
from support_groups import Crowd, memory_kb, text_frame


def tell_many(db, group, count, size, first=0):
    """count broadcasts of size bytes in one transaction; each begins with its
    number.  Returns what they are."""
    db("SELECT usher.broadcast_text(%s, rpad(i || ':', %s, 'x'))"
       " FROM generate_series(%s, %s) AS i", group, size, first,
       first + count - 1)
    return [f"{i}:".ljust(size, "x") for i in range(first, first + count)]


def stopped_reader(usherd, group, person):
    """A member who reads nothing, and whose system takes little for him."""
    raw = Raw(usherd.port, receive_buffer=4096)
    return raw.upgrade(f"/ws/{group}",
                       {"Authorization": f"Token {person.token}"})


def test_a_burst_of_20000_messages_reaches_50_members_in_order(start_usherd,
                                                               db, group):
    usherd = start_usherd(queue_bytes="16MB", ping_interval="0")
    people = db.add_people(50)
    with Crowd(usherd, group, [p.token for p in people]) as crowd:
        sent = []
        for first in range(0, 20000, 2000):
            sent += tell_many(db, group, 2000, 100, first)
        crowd.read_exactly(b"".join(map(text_frame, sent)), deadline_s=60)


def test_a_reader_who_stops_is_closed_4430_by_bytes_and_others_get_everything(
        start_usherd, db, group):
    usherd = start_usherd(queue_bytes="256kB", queue_age="60s",
                          ping_interval="0", close_timeout="20s")
    people = db.add_people(6)
    with stopped_reader(usherd, group, people[0]) as stopped, \
            Crowd(usherd, group, [p.token for p in people[1:]]) as crowd:
        first = 0
        # The kernel's buffers come first, and nobody knows how large they are.
        while "too_slow" not in usherd.log():
            sent = tell_many(db, group, 25, 8000, first)
            crowd.read_exactly(b"".join(map(text_frame, sent)))
            first += 25
            assert first < 4000, "32 MB and he is still not too slow"
        usherd.wait_log(r"closing with 4430: too_slow \(user "
                        rf"{people[0].id}, group {group}, .* [1-9]\d* bytes"
                        r" waiting")
        assert usherd.log().count("too_slow") == 1
        # When he reads again he finds whole messages in order, then why.
        for i in range(first):
            frame = stopped.read_frame()
            if frame.opcode == 8:
                assert frame.payload[:2] == (4430).to_bytes(2, "big")
                break
            assert frame.payload.startswith(b"%d:" % i)
        else:
            assert stopped.read_close() == (4430, "too_slow")
        # He missed something, or there was no reason to close him.
        assert i < first - 1


def test_a_reader_who_stops_is_closed_4430_by_age(start_usherd, db, group):
    usherd = start_usherd(queue_bytes="16MB", queue_age="300ms",
                          ping_interval="0", close_timeout="20s")
    people = db.add_people(2)
    with stopped_reader(usherd, group, people[0]), \
            Crowd(usherd, group, [people[1].token]) as crowd:
        first = 0
        while first < 8000:     # 8 MB: too much for the kernel alone
            sent = tell_many(db, group, 1000, 1000, first)
            crowd.read_exactly(b"".join(map(text_frame, sent)))
            first += 1000
        usherd.wait_log(rf"closing with 4430: too_slow \(user {people[0].id},")
        sent = tell_many(db, group, 1, 10)
        crowd.read_exactly(text_frame(sent[0]))


def test_a_slow_reader_who_keeps_reading_is_not_closed(start_usherd, db,
                                                       group):
    usherd = start_usherd(queue_bytes="16MB", queue_age="30s",
                          ping_interval="0")
    person = db.add_person()
    with stopped_reader(usherd, group, person) as slow:
        sent = tell_many(db, group, 6000, 1000)
        eventually(lambda: usherd.get("/healthz").status == 200)
        for message in sent:
            assert slow.read_message() == message.encode()


def test_one_message_above_queue_bytes_reaches_who_reads(start_usherd, db,
                                                         group):
    usherd = start_usherd(queue_bytes="64kB", ping_interval="0")
    person = db.add_person()
    with usherd.connect(group, person.token) as client:
        db.tell(group, "x" * 1000000)
        assert client.receive() == "x" * 1000000


@pytest.fixture
def frugal_usherd(site):
    """Freed memory that a sanitizer keeps for itself would count as ours."""
    usherd = Usherd(site.conninfo(), queue_bytes="256kB", queue_age="60s",
                    close_timeout="60s", ping_interval="0")
    usherd.start(env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
    yield usherd
    usherd.stop()
    usherd.remove()


def test_memory_stays_bounded_while_20_readers_stand_still(frugal_usherd, db,
                                                           group):
    usherd = frugal_usherd
    people = db.add_people(21)
    stopped = [stopped_reader(usherd, group, p) for p in people[1:]]
    try:
        with Crowd(usherd, group, [people[0].token]) as crowd:
            def tell_and_read(first):
                sent = tell_many(db, group, 400, 8000, first)
                crowd.read_exactly(b"".join(map(text_frame, sent)))

            tell_and_read(0)
            before = memory_kb(usherd.pid)
            for i in range(1, 20):      # 60 MB, and 1.2 GB if all were kept
                tell_and_read(i * 400)
            assert memory_kb(usherd.pid) - before < 30 * 1024
            assert len(re.findall("closing with 4430", usherd.log())) == 20
    finally:
        for raw in stopped:
            raw.close()
