"""Durable groups: what committed arrives, once, in order, also later."""
import contextlib
import json
import random
import threading
import time

import pytest

from harness.client import Refused
from support_groups import Sql
from support_v1 import V1Client

START = {"seq": 0, "tag": "0" * 16}


@pytest.fixture
def kept(db, number):
    """The name of a durable group that nobody has used."""
    db("SELECT usher.set_category('kept', \"join\" => 'authenticated', "
       "send => 'authenticated', durable => true, keep_messages => NULL)")
    return f"kept_{number}"


@pytest.fixture
def connect(site):
    """with connect() as other: another connection than db's."""
    @contextlib.contextmanager
    def connect(user="site"):
        connection = site.connect(user)
        try:
            yield connection
        finally:
            connection.close()
    return connect


@pytest.fixture
def client(usherd, token):
    with V1Client(usherd, token) as client:
        yield client


def publish(db, group, *messages):
    for message in messages:
        db("SELECT usher.broadcast(%s, %s)", group, json.dumps(message))


def position(message):
    return {"seq": message["seq"], "tag": message["tag"]}


def receive(client, count):
    return [client.expect("message") for _ in range(count)]


def data_of(messages):
    return [message["data"] for message in messages]


# ---- live ---------------------------------------------------------------

def test_a_subscriber_of_an_empty_group_begins_at_the_start(client, kept):
    answer = client.subscribe(kept)
    assert position(answer) == START
    assert "recovered" not in answer


def test_messages_come_numbered_without_holes(client, db, kept):
    client.subscribe(kept)
    publish(db, kept, *range(20))
    messages = receive(client, 20)
    assert data_of(messages) == list(range(20))
    assert [m["seq"] for m in messages] == list(range(1, 21))
    assert len({m["tag"] for m in messages}) == 20
    rows = db("SELECT seq, tag FROM usher.history(%s)", kept)
    assert [(m["seq"], m["tag"]) for m in messages] == rows


def test_who_comes_later_begins_where_the_group_is(usherd, client, db, kept,
                                                   make_token):
    client.subscribe(kept)
    publish(db, kept, "old")
    last = client.expect("message")
    with V1Client(usherd, make_token()) as late:
        assert position(late.subscribe(kept)) == position(last)
        publish(db, kept, "new")
        assert late.expect("message")["data"] == "new"
        assert client.expect("message")["data"] == "new"


def test_text_and_bytes_are_kept_as_they_were(client, db, kept):
    client.subscribe(kept)
    db("SELECT usher.broadcast_text(%s, %s)", kept, 'a "text"\nof two')
    db("SELECT usher.broadcast_binary(%s, %s)", kept, b"\0\xff")
    client.expect("message", format="text", data='a "text"\nof two', seq=1)
    client.expect("message", format="binary", data="AP8=", seq=2)
    client.ask("unsubscribe", group=kept)
    assert client.subscribe(kept, since=START)["recovered"] is True
    client.expect("message", format="text", data='a "text"\nof two', seq=1)
    client.expect("message", format="binary", data="AP8=", seq=2)
    client.alive()


def test_what_is_rolled_back_leaves_no_trace(client, db, kept, connect):
    client.subscribe(kept)
    with connect() as other:
        other.autocommit = False
        cursor = other.cursor()
        cursor.execute("SELECT usher.broadcast(%s, '\"gone\"')", [kept])
        other.rollback()
        cursor.execute("SELECT usher.broadcast(%s, '\"here\"')", [kept])
        other.commit()
    client.expect("message", seq=1, data="here")
    client.alive()


def test_several_groups_in_one_call_get_one_each(client, db, kept):
    names = [f"{kept}x{i}" for i in range(5)]
    client.say("subscribe", id=1, groups=names)
    for _ in names:
        client.expect("subscribed")
    db("SELECT usher.broadcast(%s, '1')", names[::-1] + names)
    assert sorted(m["group"] for m in receive(client, 5)) == names
    client.alive()


def test_publishers_to_several_groups_do_not_block_each_other_for_ever(
        client, db, kept, site):
    """Each call names the same groups in another order; none is refused, and
    every group is numbered without holes."""
    names = [f"{kept}x{i}" for i in range(6)]
    client.say("subscribe", id=1, groups=names)
    for _ in names:
        client.expect("subscribed")
    errors = []

    def publish_often(seed):
        order = random.Random(seed)
        other = Sql(site)
        try:
            for _ in range(40):
                order.shuffle(names_of[seed])
                other("SELECT usher.broadcast(%s, '1')", names_of[seed])
        except Exception as error:
            errors.append(error)
        other.close()

    names_of = [list(names) for _ in range(8)]
    threads = [threading.Thread(target=publish_often, args=[seed])
               for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    seen = {name: [] for name in names}
    for message in receive(client, 6 * 8 * 40):
        seen[message["group"]].append(message["seq"])
    assert all(seqs == list(range(1, 321)) for seqs in seen.values())


def test_what_a_client_sends_is_kept(client, db, kept):
    client.subscribe(kept)
    client.say("send", id=1, group=kept, data={"a": 1})
    assert sorted(client.receive_json()["type"] for _ in range(2)) == \
        ["message", "ok"]
    assert db("SELECT seq, data FROM usher.history(%s)", kept) == \
        [(1, {"a": 1})]


def test_a_client_may_be_in_durable_and_other_groups(client, db, kept, group):
    client.say("subscribe", id=1, groups=[kept, group])
    answers = {a["group"]: a for a in (client.receive_json(),
                                       client.receive_json())}
    assert "seq" in answers[kept] and "seq" not in answers[group]
    db("SELECT usher.broadcast(%s, '1')", [kept, group])
    messages = {m["group"]: m for m in receive(client, 2)}
    assert messages[kept]["seq"] == 1 and "seq" not in messages[group]


def test_what_rings_no_bell_is_told_within_a_second_or_so(client, db, kept,
                                                          connect):
    client.subscribe(kept)
    publish(db, kept, "first")
    client.expect("message")
    with connect("postgres") as other:
        other.autocommit = False
        cursor = other.cursor()
        cursor.execute("SET LOCAL usher.doorbell = 'none'")
        cursor.execute("SELECT usher.broadcast(%s, '\"second\"')", [kept])
        other.commit()
    client.expect("message", seq=2, data="second")


# ---- resuming -----------------------------------------------------------

def test_who_comes_back_is_told_what_was_missed_and_then_what_comes(
        usherd, client, db, kept, token, make_token):
    client.subscribe(kept)
    publish(db, kept, 1, 2)
    first = receive(client, 2)[0]
    client.close()
    publish(db, kept, 3)
    with V1Client(usherd, make_token()) as back:
        answer = back.subscribe(kept, since=position(first))
        assert answer["recovered"] is True and answer["seq"] == 3
        publish(db, kept, 4)
        assert data_of(receive(back, 3)) == [2, 3, 4]
        back.alive()


def test_who_missed_nothing_is_told_nothing(client, db, kept):
    client.subscribe(kept)
    publish(db, kept, 1)
    last = client.expect("message")
    client.ask("unsubscribe", group=kept)
    answer = client.subscribe(kept, since=position(last))
    assert answer["recovered"] is True and position(answer) == position(last)
    client.alive()


def test_a_new_listener_reads_what_was_missed_from_the_database(
        start_usherd, db, kept, token):
    publish(db, kept, *range(1, 1401))
    since = db("SELECT seq, tag FROM usher.history(%s, 0, 1)", kept)[0]
    usherd = start_usherd()
    with V1Client(usherd, token) as client:
        answer = client.subscribe(kept,
                                  since={"seq": since[0], "tag": since[1]})
        assert answer["recovered"] is True and answer["seq"] == 1400
        assert data_of(receive(client, 1399)) == list(range(2, 1401))
        publish(db, kept, "live")
        assert client.expect("message", seq=1401)["data"] == "live"
        client.alive()


def test_everything_can_be_asked_for_from_the_start(start_usherd, db, kept,
                                                    token):
    publish(db, kept, *range(3))
    with V1Client(start_usherd(), token) as client:
        assert client.subscribe(kept, since=START)["recovered"] is True
        assert data_of(receive(client, 3)) == [0, 1, 2]


def test_with_little_memory_the_database_tells_what_was_missed(
        start_usherd, db, kept, token):
    usherd = start_usherd(recent_bytes="1kB")
    with V1Client(usherd, token) as client:
        client.subscribe(kept)
        publish(db, kept, *range(100))
        first = receive(client, 100)[0]
        client.ask("unsubscribe", group=kept)
        client.subscribe(kept + "x")  # no room is left for the first group's
        publish(db, kept + "x", *["y" * 500] * 3)
        receive(client, 3)
        assert client.subscribe(kept,
                                since=position(first))["recovered"] is True
        assert data_of(receive(client, 99)) == list(range(1, 100))


@pytest.mark.parametrize("since", [
    {"seq": 2, "tag": "0" * 16}, {"seq": 3, "tag": "f" * 16},
    {"seq": 99, "tag": "f" * 16}, {"seq": 0, "tag": "f" * 16},
    {"seq": -1, "tag": "f" * 16}, {"seq": 1, "tag": "nonsense"}])
@pytest.mark.parametrize("fresh", [False, True])
def test_who_saw_another_history_is_told_that_he_has_not_recovered(
        start_usherd, usherd, db, kept, token, since, fresh):
    with V1Client(usherd, token) as client:
        client.subscribe(kept)
        publish(db, kept, 1, 2, 3)
        receive(client, 3)
        with V1Client(start_usherd() if fresh else usherd, token) as other:
            answer = other.subscribe(kept, since=since)
            assert answer["recovered"] is False and answer["seq"] == 3
            publish(db, kept, 4)
            assert other.expect("message")["data"] == 4


def test_who_missed_what_is_not_kept_any_more_has_not_recovered(
        start_usherd, db, sql, kept, token):
    publish(db, kept, 1, 2, 3)
    since = db("SELECT seq, tag FROM usher.history(%s, 0, 1)", kept)[0]
    sql(f"DELETE FROM usher.message WHERE \"group\" = '{kept}' AND seq < 3")
    with V1Client(start_usherd(), token) as client:
        answer = client.subscribe(kept,
                                  since={"seq": since[0], "tag": since[1]})
        assert answer["recovered"] is False and answer["seq"] == 3
        client.alive()


def test_who_missed_more_than_resume_limit_has_not_recovered(
        start_usherd, db, kept, token):
    usherd = start_usherd(resume_limit=10)
    publish(db, kept, *range(12))
    rows = db("SELECT seq, tag FROM usher.history(%s, 0, 3)", kept)
    with V1Client(usherd, token) as client:
        answer = client.subscribe(kept, since={"seq": rows[0][0],
                                               "tag": rows[0][1]})
        assert answer["recovered"] is False
        client.ask("unsubscribe", group=kept)
        answer = client.subscribe(kept, since={"seq": rows[1][0],
                                               "tag": rows[1][1]})
        assert answer["recovered"] is True
        assert len(receive(client, 10)) == 10


def test_who_may_not_enter_any_more_is_not_told_what_was_missed(
        usherd, client, db, kept):
    client.subscribe(kept)
    publish(db, kept, 1)
    last = client.expect("message")
    client.ask("unsubscribe", group=kept)
    publish(db, kept, "secret")
    db("SELECT usher.set_category('kept', durable => true)")
    client.refused(4403, "not_allowed", "subscribe", group=kept,
                   since=position(last))
    client.alive()


def test_who_is_told_what_he_missed_while_that_is_removed_hears_of_the_hole(
        start_usherd, db, sql, kept, token):
    usherd = start_usherd(recent_bytes="1kB")
    db("SELECT count(usher.broadcast_text(%s, repeat('x', 20000)))"
       " FROM generate_series(1, 1500)", kept)
    with V1Client(usherd, token, deadline_s=30) as client:
        client.say("subscribe", id=1, group=kept, since=START)
        # it does not read: thirty megabytes are in no buffer
        time.sleep(1)
        sql(f"DELETE FROM usher.message WHERE \"group\" = '{kept}'"
            " AND seq < 1490")
        assert client.expect("subscribed")["recovered"] is True
        seen = []
        while (message := client.receive_json())["type"] == "message":
            seen.append(message["seq"])
        assert seen == list(range(1, len(seen) + 1)) and len(seen) < 1490
        assert message["type"] == "reset" and message["seq"] == 1500
        publish(db, kept, "live")
        client.expect("message", seq=1501, data="live")
        client.alive()


def test_resuming_under_a_stream_of_messages_has_no_gap_and_no_double(
        usherd, db, kept, token, connect):
    """Again and again, while somebody publishes as fast as he can."""
    done = threading.Event()

    def flood():
        with connect() as other:
            cursor = other.cursor()
            number = 0
            while not done.is_set():
                cursor.execute("SELECT usher.broadcast(%s, %s)",
                               [kept, str(number)])
                number += 1

    with V1Client(usherd, token) as client:
        client.subscribe(kept)
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            last = client.expect("message")
            expected = last["data"] + 1
            for _ in range(30):
                with V1Client(usherd, token) as again:
                    answer = again.subscribe(kept, since=position(last))
                    assert answer["recovered"] is True
                    for message in receive(again, 40):
                        assert message["data"] == expected
                        expected += 1
                    last = message
        finally:
            done.set()
            thread.join()


# ---- what is kept -------------------------------------------------------

def test_the_listener_removes_what_need_not_be_kept(start_usherd, db, kept,
                                                    number):
    name = f"brief{number}"
    db("SELECT usher.set_category(%s, durable => true, keep_messages => 3)",
       name)
    publish(db, name + "_1", *range(20))
    usherd = start_usherd(purge_interval="100ms")
    deadline = time.monotonic() + 10
    while len(db("SELECT seq FROM usher.history(%s)", name + "_1")) > 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert db("SELECT seq FROM usher.history(%s)", name + "_1") == \
        [(18,), (19,), (20,)]
    assert "purge_messages failed" not in usherd.log()


# ---- outages ------------------------------------------------------------

def cut_listeners(sql):
    """End every listener's connections; returns the pids."""
    return sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE usename = 'usherd'")


def test_what_was_committed_while_the_listener_could_not_listen_is_told(
        usherd, client, db, sql, kept):
    client.subscribe(kept)
    publish(db, kept, 1)
    client.expect("message")
    assert cut_listeners(sql)
    publish(db, kept, 2, 3, 4)
    assert data_of(receive(client, 3)) == [2, 3, 4]
    usherd.wait_log("feed: rechecking")
    client.alive()


def test_members_are_told_when_the_history_has_changed_meanwhile(
        client, db, sql, kept):
    client.subscribe(kept)
    publish(db, kept, 1, 2)
    receive(client, 2)
    sql(f"""
        DELETE FROM usher.message WHERE "group" = '{kept}';
        UPDATE usher.group_seq SET tag = tag + 1, seq = 1
        WHERE "group" = '{kept}'""")
    assert cut_listeners(sql)
    reset = client.expect("reset", group=kept, seq=1, recovered=False)
    publish(db, kept, "new")
    client.expect("message", seq=2, data="new")
    assert reset["tag"]


# ---- much at once, and other rules ----------------------------------------

def test_more_than_a_fetch_shows_at_once_is_told_all_the_same(
        start_usherd, db, kept, token):
    usherd = start_usherd(queue_bytes="64MB")
    with V1Client(usherd, token, deadline_s=60) as client:
        client.subscribe(kept)
        db("SELECT count(usher.broadcast(%s, i::text::jsonb))"
           " FROM generate_series(1, 20500) AS i", kept)
        assert data_of(receive(client, 20500)) == list(range(1, 20501))
        usherd.wait_log("too many durable messages at once")
        publish(db, kept, "live")
        client.expect("message", seq=20501, data="live")


def test_a_category_may_become_durable_and_stop_being_so_with_members_inside(
        client, db, category):
    group = f"{category}_1"
    db.set_category(category, join="authenticated")
    client.subscribe(group)
    publish(db, group, 1)
    assert "seq" not in client.expect("message", data=1)
    db.set_category(category, join="authenticated", durable=True)
    client.expect("reset", group=group, seq=0)
    publish(db, group, 2)
    client.expect("message", data=2, seq=1)
    db.set_category(category, join="authenticated", durable=False)
    client.alive()
    publish(db, group, 3)
    assert "seq" not in client.expect("message", data=3)


def test_a_raw_member_of_a_category_that_becomes_durable_is_closed(
        usherd, db, category, token):
    """It cannot be told that something may be missing."""
    group = f"{category}_1"
    db.set_category(category, join="authenticated")
    with usherd.connect(group, token) as client:
        db.set_category(category, join="authenticated", durable=True)
        close = client.wait_close()
        assert (close.code, close.reason) == (4409, "history_changed")


def test_presence_goes_on_while_a_member_is_told_what_was_missed(
        usherd, db, category, token, make_token):
    group = f"{category}_1"
    db.set_category(category, join="authenticated", durable=True,
                    presence=True)
    publish(db, group, *range(50))
    with V1Client(usherd, token) as client:
        client.subscribe(group, since=START)
        got = [client.receive_json() for _ in range(51)]
        assert sorted({m["type"] for m in got}) == ["join", "message"]
        with V1Client(usherd, make_token()) as other:
            other.subscribe(group)
            client.expect("join", group=group)


# ---- raw ----------------------------------------------------------------

def test_a_raw_client_is_told_what_followed_its_position(usherd, db, kept,
                                                         token):
    publish(db, kept, 1, 2, 3)
    seq, tag = db("SELECT seq, tag FROM usher.history(%s, 0, 1)", kept)[0]
    with usherd.connect(kept, token, query=f"?since={seq}.{tag}") as client:
        publish(db, kept, 4)
        assert [client.receive() for _ in range(3)] == ["2", "3", "4"]


def test_a_raw_client_without_a_position_begins_with_what_comes(
        usherd, db, kept, token):
    publish(db, kept, 1)
    with usherd.connect(kept, token) as client:
        publish(db, kept, 2)
        assert client.receive() == "2"


@pytest.mark.parametrize("since, status, reason", [
    ("7." + "0" * 16, 409, b"history_changed"),
    ("nonsense", 400, b"bad_since")])
def test_a_raw_client_that_cannot_be_told_all_is_refused(
        usherd, db, kept, token, since, status, reason):
    publish(db, kept, 1)
    with pytest.raises(Refused) as refused:
        usherd.connect(kept, token, query=f"?since={since}")
    assert refused.value.status == status
    assert reason in refused.value.body


def test_a_raw_client_cannot_resume_in_a_group_that_keeps_nothing(
        usherd, group, token):
    with pytest.raises(Refused) as refused:
        usherd.connect(group, token, query="?since=1." + "0" * 16)
    assert refused.value.status == 409
