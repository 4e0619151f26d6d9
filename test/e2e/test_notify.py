"""What a listener hears on the shared channel.

Below the listener, since only here can one see that a broadcast arrives whole,
once, in order and only if the transaction commits.  Ids and channel are random,
so pg_regress cannot show it.
"""
import base64
import json
import select
import time

import psycopg2
import pytest
from psycopg2 import errors

PAYLOAD_MAX = 7999


class Ear:
    """A connection that LISTENs as the listener does, and speaks SQL too."""

    def __init__(self, cluster, database):
        self.db = cluster.connect(database)
        self.channel = self.sql("SELECT channel FROM usher.listener_start()")
        self.sql(f'LISTEN "{self.channel}"')
        self.nonce = 0

    def sql(self, query, *args):
        with self.db.cursor() as cursor:
            cursor.execute(query, args or None)
            return cursor.fetchone()[0] if cursor.description else None

    def lines(self):
        """Every line announced so far: up to a canary of our own."""
        self.nonce += 1
        last = f"? n{self.nonce}"
        self.sql("SELECT usher.canary(%s)", last[2:])
        heard = []
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            while self.db.notifies:
                notify = self.db.notifies.pop(0)
                assert notify.channel == self.channel
                assert len(notify.payload.encode()) <= PAYLOAD_MAX
                if notify.payload == last:
                    return heard
                heard.append(notify.payload)
            select.select([self.db], [], [], 1)
            self.db.poll()
        raise TimeoutError("the canary did not come back")

    def messages(self):
        """Messages announced so far, put together: (type, groups, payload)."""
        return assemble(self.lines())


def assemble(lines):
    """Put chunks together as the protocol promises they come."""
    messages = []
    ids = []
    whole = None
    for line in lines:
        if line[0] == "m":
            assert whole is None, "a chunked message was interrupted"
            _, id, kind, groups, payload = line.split(" ", 4)
        else:
            _, id, i, n, kind, groups, chunk = line.split(" ", 6)
            if whole is None:
                assert i == "1"
                whole = (id, n, kind, groups, [])
            else:
                assert groups == "-"
            assert (id, n, kind) == whole[:3]
            whole[4].append(chunk)
            assert int(i) == len(whole[4])
            if i != n:
                continue
            groups, payload = whole[3], "".join(whole[4])
            whole = None
        ids.append(id)
        messages.append((kind, groups.split(","), payload))
    assert whole is None, "the end of a chunked message is missing"
    assert len(set(ids)) == len(ids)
    return messages


@pytest.fixture(scope="module")
def database(cluster):
    cluster.create_database("notify")
    cluster.psql("CREATE EXTENSION usher", "notify")
    yield "notify"
    cluster.drop_database("notify")


@pytest.fixture
def ear(cluster, database):
    ear = Ear(cluster, database)
    yield ear
    ear.db.close()


@pytest.fixture
def other(cluster, database):
    """Another connection, which opens transactions."""
    connection = cluster.connect(database, autocommit=False)
    yield connection.cursor()
    connection.close()


def test_json_text_and_bytes_arrive_as_they_were_sent(ear):
    ear.sql("SELECT usher.broadcast('app_1', %s)", '{"b": [1, "é 😀"]}')
    ear.sql("SELECT usher.broadcast_text('app_1', %s)", " two\nlines , é ")
    ear.sql("SELECT usher.broadcast_text('app_1', '')")
    ear.sql("SELECT usher.broadcast_binary('app_1', %s)", bytes(range(256)))
    json_, text, empty, binary = ear.messages()
    assert json_[:2] == ("j", ["app_1"])
    assert json.loads(json_[2]) == {"b": [1, "é 😀"]}
    assert text == ("t", ["app_1"], " two\nlines , é ")
    assert empty == ("t", ["app_1"], "")
    assert binary[:2] == ("b", ["app_1"])
    assert base64.b64decode(binary[2], validate=True) == bytes(range(256))


def test_equal_payloads_in_one_transaction_arrive_each_time(ear, other):
    for _ in range(40):
        other.execute("SELECT usher.broadcast('app_1', '1')")
    other.connection.commit()
    assert ear.messages() == [("j", ["app_1"], "1")] * 40


def test_nothing_arrives_before_the_commit_and_then_everything_in_order(
        ear, other):
    for i in range(100):
        other.execute("SELECT usher.broadcast_text(%s, %s)",
                      (f"app_{i % 3}", str(i)))
    assert ear.messages() == []
    other.connection.commit()
    assert ear.messages() == [
        ("t", [f"app_{i % 3}"], str(i)) for i in range(100)]


def test_nothing_arrives_of_a_transaction_that_rolls_back(ear, other):
    other.execute("SELECT usher.broadcast('app_1', '1')")
    other.execute("SELECT usher.broadcast_text('app_1', repeat('x', 100000))")
    other.execute("SELECT usher.kick('7', 'app_1')")
    other.execute("SELECT usher.set_category('app')")
    other.connection.rollback()
    assert ear.lines() == []


def test_a_savepoint_that_rolls_back_drops_only_its_own_messages(ear, other):
    other.execute("SELECT usher.broadcast('app_1', '1')")
    other.execute("SAVEPOINT s")
    other.execute("SELECT usher.broadcast('app_1', '2')")
    other.execute("ROLLBACK TO s")
    other.execute("SELECT usher.broadcast('app_1', '3')")
    other.connection.commit()
    assert [payload for _, _, payload in ear.messages()] == ["1", "3"]


def test_two_connections_never_use_the_same_id(cluster, database, ear):
    connections = [cluster.connect(database) for _ in range(3)]
    for connection in connections * 5:
        connection.cursor().execute("SELECT usher.broadcast('app_1', '1')")
    assert len(ear.messages()) == 15  # assemble() compares the ids
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("size", [
    7000, PAYLOAD_MAX - 27, PAYLOAD_MAX - 26, PAYLOAD_MAX, 16000, 1048576])
def test_a_payload_of_any_size_arrives_whole(ear, size):
    text = "".join(chr(ord("a") + i % 26) for i in range(size))
    ear.sql("SELECT usher.broadcast_text('app_1', %s)", text)
    assert ear.messages() == [("t", ["app_1"], text)]


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_chunks_never_split_a_character(ear, character, shift):
    # psycopg2 would fail to decode a notification with half a character.
    text = "x" * shift + character * 30000
    ear.sql("SELECT usher.broadcast_text('app_1', %s)", text)
    assert ear.messages() == [("t", ["app_1"], text)]


def test_a_mebibyte_of_bytes_or_json_arrives_whole(ear):
    data = bytes(range(256)) * 4096
    ear.sql("SELECT usher.broadcast_binary('app_1', %s)", data)
    ear.sql("SELECT usher.broadcast('app_1', to_jsonb(repeat('y', 1048574)))")
    binary, json_ = ear.messages()
    assert base64.b64decode(binary[2], validate=True) == data
    assert json.loads(json_[2]) == "y" * 1048574


def test_a_payload_above_the_limit_is_refused_with_the_setting_named(ear):
    with pytest.raises(errors.ProgramLimitExceeded) as refusal:
        ear.sql("SELECT usher.broadcast_text('app_1', %s)", "x" * 1048577)
    assert "usher.max_payload" in refusal.value.diag.message_hint
    assert ear.lines() == []


def test_several_groups_share_one_notification(ear):
    ear.sql("SELECT usher.broadcast(%s, '1')", ["app_2", "app_1", "b_x"])
    assert len(lines := ear.lines()) == 1
    (kind, groups, payload), = assemble(lines)
    assert (kind, sorted(groups), payload) == (
        "j", ["app_1", "app_2", "b_x"], "1")


def test_a_group_named_twice_receives_once(ear):
    ear.sql("SELECT usher.broadcast_text(%s, 'x')",
            ["app_1", "app_2", "app_1", "app_1"])
    (_, groups, _), = ear.messages()
    assert sorted(groups) == ["app_1", "app_2"]


def test_an_empty_array_of_groups_announces_nothing(ear):
    ear.sql("SELECT usher.broadcast('{}'::text[], '1')")
    assert ear.lines() == []


@pytest.mark.parametrize("size", [0, 100, 3000, 5000, 7990, 40000])
def test_a_thousand_groups_each_receive_the_whole_payload_once(ear, size):
    names = [f"{'n' * 90}_{i:04}" for i in range(1000)]
    ear.sql("SELECT usher.broadcast_text(%s, %s)", names + names[:10],
            "é" * (size // 2))
    heard = ear.messages()
    assert {payload for _, _, payload in heard} == {"é" * (size // 2)}
    assert sorted(name for _, groups, _ in heard for name in groups) == names


def test_messages_of_concurrent_transactions_do_not_mix(cluster, database,
                                                        ear):
    connections = [cluster.connect(database, autocommit=False)
                   for _ in range(4)]
    for round_ in range(3):
        for number, connection in enumerate(connections):
            connection.cursor().execute(
                "SELECT usher.broadcast_text('app_1', %s)",
                (str(number) * 20000,))
    for connection in connections:
        connection.commit()
        connection.close()
    assert [payload[0] for _, _, payload in ear.messages()] == list(
        "000111222333")


def test_whoever_changes_a_category_its_name_is_announced(ear):
    def heard():
        return [line.split(" ")[0::2] for line in ear.lines()]

    ear.sql("SELECT usher.set_category('one', join => 'anyone')")
    assert heard() == [["p", "one"]]
    ear.sql("SELECT usher.set_category('one', join => 'anyone')")
    assert heard() == [["p", "one"]]
    ear.sql("UPDATE usher.category SET name = 'two' WHERE name = 'one'")
    assert heard() == [["p", "one"], ["p", "two"]]
    ear.sql("SELECT usher.drop_category('two')")
    assert heard() == [["p", "two"]]
    ear.sql("SELECT usher.drop_category('two')")
    assert heard() == []
    ear.sql("SELECT usher.set_category('a'), usher.set_category('b')")
    heard()
    ear.sql("TRUNCATE usher.category")
    assert sorted(heard()) == [["p", "a"], ["p", "b"]]


def test_a_kick_names_the_group_and_the_user_whatever_he_is_called(ear):
    ear.sql("SELECT usher.kick(%s, 'app_1')", "of two words")
    line, = ear.lines()
    assert line.split(" ", 3)[0::2] == ["k", "app_1"]
    assert line.split(" ", 3)[3] == "of two words"


def test_a_clients_message_is_announced_as_on_message_made_it(ear):
    ear.sql("""
        CREATE SCHEMA notify_app;
        GRANT USAGE ON SCHEMA notify_app TO usher_app;
        CREATE FUNCTION notify_app.sign(user_id text, id text, payload jsonb)
        RETURNS jsonb LANGUAGE sql AS $$
            SELECT CASE WHEN payload ? 'quiet' THEN NULL ELSE
                payload || jsonb_build_object('by', user_id, 'in', id) END $$;
        SELECT usher.set_category('signed', send => 'authenticated',
                                  on_message => 'notify_app.sign');
        SELECT usher.set_category('raw', send => 'authenticated');
    """)
    ear.lines()
    ear.sql("SELECT usher.receive('7', 'signed_3', '{\"n\": 1}')")
    ear.sql("SELECT usher.receive('7', 'signed_3', '{\"quiet\": 1}')")
    ear.sql("SELECT usher.receive('7', 'signed_3', 'no json')")
    ear.sql("SELECT usher.receive('7', 'raw_3', 'as it is')")
    ear.sql("SELECT usher.receive_binary('7', 'raw_3', %s)", b"\x00\xff\n")
    signed, text, binary = ear.messages()
    assert signed[:2] == ("j", ["signed_3"])
    assert json.loads(signed[2]) == {"n": 1, "by": "7", "in": "3"}
    assert text == ("t", ["raw_3"], "as it is")
    assert binary == ("b", ["raw_3"], base64.b64encode(b"\x00\xff\n").decode())


def test_what_a_failing_site_function_broadcast_is_not_announced(ear):
    ear.sql("""
        CREATE SCHEMA IF NOT EXISTS notify_app;
        GRANT USAGE ON SCHEMA notify_app TO usher_app;
        CREATE FUNCTION notify_app.blab(user_id text, id text)
        RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM usher.broadcast_text('log_1', 'asked by ' || user_id);
            IF id = 'fail' THEN RAISE EXCEPTION 'on purpose'; END IF;
            RETURN true;
        END $$;
        SELECT usher.set_category('blab', send => 'notify_app.blab');
    """)
    ear.lines()
    ear.sql("SELECT usher.receive('7', 'blab_fail', 'x')")
    ear.sql("SELECT usher.receive('8', 'blab_1', 'y')")
    assert ear.messages() == [("t", ["log_1"], "asked by 8"),
                              ("t", ["blab_1"], "y")]


def test_a_failing_site_function_leaves_one_line_without_the_payload(
        cluster, ear):
    ear.sql("""
        CREATE SCHEMA IF NOT EXISTS notify_app;
        GRANT USAGE ON SCHEMA notify_app TO usher_app;
        CREATE FUNCTION notify_app.refuse(text, text, payload text)
        RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'refused on purpose'; END $$;
        SELECT usher.set_category('refuse', send => 'authenticated',
                                  on_message => 'notify_app.refuse');
    """)
    before = len(cluster.log())
    ear.sql("SELECT usher.receive('7', 'refuse_1', 'a-clients-secret')")
    line, = cluster.log()[before:].splitlines()
    assert "notify_app.refuse failed: refused on purpose" in line
    assert "a-clients-secret" not in cluster.log()[before:]


def test_nobody_but_the_owner_can_read_the_channels_name(cluster, database):
    cluster.psql("""
        DROP ROLE IF EXISTS notify_stranger;
        CREATE ROLE notify_stranger LOGIN IN ROLE usher_app;
    """, database)
    stranger = cluster.connect(database, "notify_stranger")
    for query in ("SELECT channel FROM usher.listener_start()",
                  "SELECT channel FROM usher.instance"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            stranger.cursor().execute(query)
    stranger.close()
    cluster.psql("DROP ROLE notify_stranger", database)
