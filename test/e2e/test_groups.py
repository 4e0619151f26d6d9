"""Groups: who gets in, who hears what, and in which order."""
import json

import pytest
from harness import eventually
from harness.client import Refused
from support_groups import Crowd, text_frame


@pytest.fixture
def member(usherd, group, person):
    with usherd.connect(group, person.token) as member:
        yield member


# ---- broadcast ----------------------------------------------------------

def test_json_arrives_as_json_not_as_a_string_in_json(member, db, group):
    db("SELECT usher.broadcast(%s, %s)", group,
       json.dumps({"a": [1, None, "ü\n\"😀"], "b": {"c": 1.5}}))
    message = member.receive()
    assert isinstance(message, str)
    assert json.loads(message) == {"a": [1, None, "ü\n\"😀"],
                                   "b": {"c": 1.5}}


def test_text_arrives_as_it_is(member, db, group):
    for text in ("hello", "  two  spaces  ", "línea\r\n\ttwo", "{not json",
                 "😀" * 50, ""):
        db.tell(group, text)
        assert member.receive() == text


def test_bytes_arrive_as_a_binary_frame(member, db, group):
    every_byte = bytes(range(256)) * 3
    for payload in (every_byte, b"", b"\0", b"ab", b"abc"):
        db("SELECT usher.broadcast_binary(%s, %s)", group, payload)
        message = member.receive()
        assert isinstance(message, bytes)
        assert message == payload


def test_a_broadcast_to_many_groups_reaches_each_member_once(usherd, db,
                                                             number):
    people = db.add_people(3)
    groups = [f"app_{number}-{i}" for i in range(3)]
    with usherd.connect(groups[0], people[0].token) as first, \
            usherd.connect(groups[1], people[1].token) as second, \
            usherd.connect(groups[2], people[2].token) as third:
        db("SELECT usher.broadcast(%s, '1')", groups[:2] + groups[:1])
        db("SELECT usher.broadcast_text(%s, 'two')", groups[1:])
        db("SELECT usher.broadcast_binary(%s, '\\x03')", groups)
        assert [first.receive() for _ in range(2)] == ["1", b"\3"]
        assert [second.receive() for _ in range(3)] == ["1", "two", b"\3"]
        assert [third.receive() for _ in range(2)] == ["two", b"\3"]


def test_more_groups_than_fit_one_notify_are_all_reached(usherd, db, number,
                                                         person):
    groups = [f"app_{number}-{'x' * 80}-{i}" for i in range(300)]
    with usherd.connect(groups[0], person.token) as first, \
            usherd.connect(groups[150], person.token) as middle, \
            usherd.connect(groups[299], person.token) as last:
        db("SELECT usher.broadcast_text(%s, 'all')", groups)
        db("SELECT usher.broadcast_text(%s, %s)", groups, "z" * 20000)
        for client in (first, middle, last):
            assert client.receive() == "all"
            assert client.receive() == "z" * 20000


def test_a_broadcast_stays_in_its_group(usherd, db, number, person):
    with usherd.connect(f"app_{number}", person.token) as client, \
            usherd.connect(f"app_{number}0", person.token) as other:
        db.tell(f"app_{number}0", "for the other")
        db.tell(f"app_{number}", "for him")
        assert client.receive() == "for him"
        assert other.receive() == "for the other"
        other.receive_nothing(0.1)


def test_equal_payloads_in_one_transaction_all_arrive(member, db, group):
    with db.transaction():
        for _ in range(3):
            db.tell(group, "same")
        db("SELECT usher.broadcast(%s, '7') FROM generate_series(1, 3)",
           group)
    assert [member.receive() for _ in range(6)] == ["same"] * 3 + ["7"] * 3


def test_nothing_is_sent_before_the_commit_nor_after_a_rollback(member, db,
                                                               group):
    with db.transaction(end="ROLLBACK"):
        db.tell(group, "rolled back")
    with db.transaction():
        db("SAVEPOINT here")
        db.tell(group, "rolled back to a savepoint")
        db.tell(group, "x" * 30000)
        db("ROLLBACK TO here")
        db.tell(group, "kept")
        member.receive_nothing(0.2)
    assert member.receive() == "kept"


def test_a_payload_of_1_mib_arrives_whole(member, db, group):
    # Characters of 1 to 4 bytes, so that every border falls within one.
    text = ("aé€😀" * 104858)[:-1]
    text += "b" * ((1 << 20) - len(text.encode()))
    assert len(text.encode()) == 1 << 20
    db.tell(group, text)
    assert member.receive() == text

    data = bytes(range(251)) * 4178
    db("SELECT usher.broadcast_binary(%s, %s)", group, data[:1 << 20])
    assert member.receive() == data[:1 << 20]

    value = {"list": ["ü" * 1000] * 500}
    db("SELECT usher.broadcast(%s, %s)", group, json.dumps(value))
    assert member.receive_json() == value


def test_a_payload_above_the_limit_is_an_error_of_the_sender(member, db,
                                                             group):
    with pytest.raises(Exception, match="payload is too large"):
        db.tell(group, "x" * ((1 << 20) + 1))
    db.tell(group, "next")
    assert member.receive() == "next"


def mixed_messages():
    """5,000 messages of one to some thousand bytes; each says its number."""
    for i in range(5000):
        if i % 50 == 0:
            yield f"{i}:" + "é" * 10000
        elif i % 7 == 0:
            yield f"{i}:" + "m" * 4000
        else:
            yield f"{i}"


def test_order_is_kept_over_5000_small_and_large_messages(start_usherd, db,
                                                          group):
    # The readers are slower than the writer: give them a queue for all of it.
    usherd = start_usherd(queue_bytes="16MB", ping_interval="0")
    messages = list(mixed_messages())
    people = db.add_people(2)
    with Crowd(usherd, group, [p.token for p in people]) as crowd:
        for start in range(0, 5000, 250):   # 20 transactions
            db("SELECT usher.broadcast_text(%s, text)"
               " FROM unnest(%s) WITH ORDINALITY AS m (text, n) ORDER BY n",
               group, messages[start:start + 250])
        crowd.read_exactly(b"".join(map(text_frame, messages)))


# ---- coming and going ---------------------------------------------------

def test_a_member_who_leaves_is_out_of_the_group(start_usherd, db, group,
                                                 person):
    usherd = start_usherd()
    with usherd.connect(group, person.token) as stays:
        leaves = usherd.connect(group, person.token)
        vanishes = usherd.connect(group, person.token)
        db.tell(group, "three hear this")
        for client in (stays, leaves, vanishes):
            assert client.receive() == "three hear this"
        assert leaves.close().code == 1000
        vanishes.abort()
        eventually(lambda: usherd.get_json("/healthz")["connections"] == 2,
                   what="only he and the question itself are connected")
        db.tell(group, "one hears this")
        assert stays.receive() == "one hears this"
    usherd.wait_log(rf"closed with 1006: .*user {person.id}, group {group}")


def test_a_group_that_was_empty_works_again(usherd, db, group, person):
    for text in ("first", "second", "third"):
        with usherd.connect(group, person.token) as client:
            db.tell(group, text)
            assert client.receive() == text
            client.receive_nothing(0.05)


@pytest.mark.parametrize("name", ["undeclared_1", "undeclared", "_1", "App_1"])
def test_a_group_whose_category_is_not_declared_cannot_be_entered(
        usherd, person, name):
    with pytest.raises(Refused) as refused:
        usherd.connect(name, person.token)
    assert refused.value.status == 403
    assert refused.value.json()["reason"] == "unknown_group"


def test_a_group_is_split_at_its_last_underscore(usherd, db, category,
                                                 person):
    db("CREATE FUNCTION public.is_seven(user_id text, id text)"
       " RETURNS boolean LANGUAGE sql AS $$ SELECT id = '7' $$")
    try:
        db.set_category(f"{category}_x", join="public.is_seven")
        with usherd.connect(f"{category}_x_7", person.token) as client:
            client.ping()
        with pytest.raises(Refused):
            usherd.connect(f"{category}_x_8", person.token)
    finally:
        db("SELECT usher.drop_category(%s)", f"{category}_x")
        db("DROP FUNCTION public.is_seven")


# ---- clients speak ------------------------------------------------------

def test_a_message_reaches_everyone_in_the_group_and_its_sender(
        usherd, start_usherd, db, group):
    second = start_usherd()
    people = db.add_people(3)
    with usherd.connect(group, people[0].token) as sender, \
            usherd.connect(group, people[1].token) as near, \
            second.connect(group, people[2].token) as far:
        for message in ("hello", b"\0\1\2", "x" * 60000):
            sender.send(message)
            assert sender.receive() == message
            assert near.receive() == message
            assert far.receive() == message
        far.send("and back")
        assert sender.receive() == "and back"


def test_listeners_that_share_a_port_share_their_groups(start_usherd, db,
                                                        group):
    first = start_usherd()
    second = start_usherd(port=first.port)
    second.wait_log("started")
    people = db.add_people(40)
    clients = []
    try:
        for person in people:
            clients.append(first.connect(group, person.token))
            if len(clients) >= 4 and all("joined" in usherd.log()
                                         for usherd in (first, second)):
                break
        # The kernel spreads them by a hash of their ports.
        assert "joined" in first.log() and "joined" in second.log()
        clients[0].send("hello")
        for client in clients:
            assert client.receive() == "hello"
    finally:
        for client in clients:
            client.close()


def test_messages_of_one_client_keep_their_order(start_usherd, db, group):
    usherd = start_usherd(call_links="4", message_rate="0")
    people = db.add_people(2)
    with usherd.connect(group, people[0].token) as sender, \
            usherd.connect(group, people[1].token) as reader:
        sent = [f"{i}" * (1 + i % 40 * 100) for i in range(300)]
        for message in sent:
            sender.send(message)
        assert [reader.receive() for _ in sent] == sent


def test_who_may_not_send_is_closed_4403_and_nobody_hears_him(
        usherd, db, category):
    db.set_category(category, join="authenticated", send="owner")
    owner, guest = db.add_people(2)
    group = f"{category}_{owner.id}"
    with usherd.connect(group, owner.token) as speaks, \
            usherd.connect(group, guest.token) as listens:
        listens.send("I may not")
        closed = listens.wait_close()
        assert (closed.code, closed.reason) == (4403, "not_allowed")
        speaks.send("I may")
        assert speaks.receive() == "I may"


def test_a_right_to_send_that_is_taken_away_is_gone_at_once(usherd, db,
                                                            category, person):
    db.set_category(category, join="authenticated", send="authenticated")
    with usherd.connect(f"{category}_1", person.token) as client:
        client.send("yes")
        assert client.receive() == "yes"
        db.set_category(category, join="authenticated", send="nobody")
        client.send("no")
        assert client.wait_close().code == 4403


def test_a_right_to_send_that_is_given_needs_no_new_connection(
        usherd, db, category, functions, person):
    """Neither from the rules nor from the data that they look at."""
    db("CREATE TABLE rules.speaker (name text)")
    db("GRANT SELECT ON rules.speaker TO usher_app")
    db.set_category(category, join="authenticated", send="nobody")
    with usherd.connect(f"{category}_1", person.token) as client:
        db.set_category(category, join="authenticated", send=functions(
            "speaks", "SELECT EXISTS (SELECT FROM rules.speaker"
            " WHERE name = user_id)"))
        db("INSERT INTO rules.speaker VALUES (%s)", person.id)
        client.send("at last")
        assert client.receive() == "at last"
        db("DELETE FROM rules.speaker")
        client.send("and no more")
        assert client.wait_close().code == 4403


def test_an_anonymous_client_listens_where_anyone_may(usherd, db, number):
    with usherd.connect(f"public_{number}") as client:
        db.tell(f"public_{number}", "for everybody")
        assert client.receive() == "for everybody"
        client.send("me too")
        assert client.wait_close().code == 4403


# ---- policies by the site's functions -----------------------------------

@pytest.fixture
def functions(db):
    """Creates functions of the site; dropped with their schema."""
    db("CREATE SCHEMA rules")
    db("GRANT USAGE ON SCHEMA rules TO usher_app")

    def create(name, body, argument="id text", returns="boolean",
               language="sql"):
        db(f"CREATE FUNCTION rules.{name}(user_id text, {argument})"
           f" RETURNS {returns} LANGUAGE {language} AS $body${body}$body$")
        return f"rules.{name}"

    yield create
    db("DROP SCHEMA rules CASCADE")


def test_a_function_of_the_site_decides_who_joins(usherd, db, category,
                                                  functions):
    db.set_category(category, join=functions(
        "member", "SELECT user_id || '-room' = id"))
    insider, outsider = db.add_people(2)
    with usherd.connect(f"{category}_{insider.id}-room", insider.token):
        pass
    with pytest.raises(Refused) as refused:
        usherd.connect(f"{category}_{insider.id}-room", outsider.token)
    assert refused.value.status == 403
    assert refused.value.json()["reason"] == "not_allowed"


def test_a_policy_that_raises_is_a_refusal_and_costs_nobody_else(
        usherd, db, category, functions, cluster, member, group):
    db.set_category(category, send="authenticated", join=functions(
        "broken", "BEGIN RAISE EXCEPTION 'the moon is full %', id; END",
        language="plpgsql"))
    people = db.add_people(6)
    log_start = len(cluster.log())
    for person in people[:5]:
        with pytest.raises(Refused) as refused:
            usherd.connect(f"{category}_1", person.token)
        assert refused.value.status == 403
        assert refused.value.json()["reason"] == "policy_error"
    with usherd.connect(f"{category}_1", people[5].token,
                        origin="http://site") as browser:
        assert browser.receive_json()["reason"] == "policy_error"
        assert browser.wait_close().code == 4403
    log = cluster.log()[log_start:]
    assert log.count("the moon is full 1") == 6
    assert "broken" in log
    db.tell(group, "undisturbed")
    assert member.receive() == "undisturbed"


def test_a_policy_that_takes_too_long_is_ended(start_usherd, db, category,
                                               functions, group, person):
    usherd = start_usherd(call_timeout="300ms", call_links="1",
                          auth_timeout="3s")
    db.set_category(category, join=functions(
        "slow", "SELECT true FROM pg_sleep(60)"))
    raw = usherd.raw()
    raw.request(f"/ws/{category}_1",
                {"Authorization": f"Token {person.token}"})
    assert raw.response().status in (500, 503)
    raw.close()
    with usherd.connect(group, person.token) as client:
        client.ping()


def test_on_message_changes_what_is_broadcast(usherd, db, category,
                                              functions, person):
    db.set_category(category, join="authenticated", send="authenticated",
                    on_message=functions(
                        "stamp", "SELECT payload || jsonb_build_object("
                        "'from', user_id, 'room', id)",
                        "id text, payload jsonb", "jsonb"))
    with usherd.connect(f"{category}_9", person.token) as client:
        client.send_json({"text": "hi", "from": "an impostor"})
        assert client.receive_json() == {"text": "hi", "from": person.id,
                                         "room": "9"}


def test_on_message_swallows_by_returning_null(usherd, db, category,
                                               functions, person):
    db.set_category(category, join="authenticated", send="authenticated",
                    on_message=functions(
                        "clean", "SELECT nullif(upper(payload), 'RUDE')",
                        "id text, payload text", "text"))
    with usherd.connect(f"{category}_1", person.token) as client:
        for message in ("one", "rude", "two"):
            client.send(message)
        assert client.receive() == "ONE"
        assert client.receive() == "TWO"


def test_on_message_for_bytes_takes_binary_frames_only(usherd, db, category,
                                                       functions, person):
    db.set_category(category, join="authenticated", send="authenticated",
                    on_message=functions(
                        "tail", "SELECT substr(payload, 2)",
                        "id text, payload bytea", "bytea"))
    with usherd.connect(f"{category}_1", person.token) as client:
        client.send(b"\1\2\3")
        assert client.receive() == b"\2\3"
        client.send("text")
        assert client.wait_close().code == 1003


def test_a_message_that_is_not_the_json_wanted_closes_4400(
        usherd, db, category, functions, person):
    db.set_category(category, join="authenticated", send="authenticated",
                    on_message=functions("echo", "SELECT payload",
                                         "id text, payload jsonb", "jsonb"))
    with usherd.connect(f"{category}_1", person.token) as client:
        client.send("{broken")
        closed = client.wait_close()
        assert (closed.code, closed.reason) == (4400, "invalid_json")


def test_on_message_that_raises_closes_its_sender_only(
        usherd, db, category, functions, cluster):
    db.set_category(category, join="authenticated", send="authenticated",
                    on_message=functions(
                        "divide", "SELECT (1 / payload::int)::text",
                        "id text, payload text", "text"))
    sender, reader = db.add_people(2)
    log_start = len(cluster.log())
    with usherd.connect(f"{category}_1", sender.token) as bad, \
            usherd.connect(f"{category}_1", reader.token) as good:
        bad.send("0")
        closed = bad.wait_close()
        assert (closed.code, closed.reason) == (4403, "policy_error")
        good.send("1")
        assert good.receive() == "1"
    assert "division by zero" in cluster.log()[log_start:]


# ---- plain categories ---------------------------------------------------

def test_notify_reaches_a_plain_group_and_no_other(usherd, db, number,
                                                   person):
    with usherd.connect(f"plain_{number}", person.token) as plain, \
            usherd.connect(f"app_{number}", person.token) as other:
        db(f"NOTIFY \"app_{number}\", 'not for clients'")
        db(f"NOTIFY \"plain_{number}\", 'x  y é'")
        db(f"NOTIFY \"plain_{number}\"")
        db.tell(f"plain_{number}", "a broadcast too")
        assert plain.receive() == "x  y é"
        assert plain.receive() == ""
        assert plain.receive() == "a broadcast too"
        db.tell(f"app_{number}", "usher")
        assert other.receive() == "usher"


def test_what_is_notified_right_after_the_answer_arrives(usherd, db, number,
                                                         person):
    for i in range(25):
        group = f"plain_{number}-{i}"
        with usherd.connect(group, person.token) as client:
            db(f"NOTIFY \"{group}\", '{i}'")
            assert client.receive() == str(i)


def test_a_plain_group_is_listened_to_again_after_it_was_left(
        usherd, db, number, person):
    group = f"plain_{number}"
    for i in range(5):
        with usherd.connect(group, person.token) as client, \
                usherd.connect(group, person.token) as other:
            db(f"NOTIFY \"{group}\", '{i}'")
            assert client.receive() == str(i)
            assert other.receive() == str(i)


def test_plain_groups_are_bounded(start_usherd, db, number):
    usherd = start_usherd(max_plain_groups="2")
    person, = db.add_people(1)
    names = [f"plain_{number}-{i}" for i in range(3)]
    first = usherd.connect(names[0], person.token)
    with usherd.connect(names[1], person.token) as second, \
            usherd.connect(names[1], person.token):     # no further group
        with pytest.raises(Refused) as refused:
            usherd.connect(names[2], person.token)
        assert refused.value.status == 429
        assert refused.value.json()["reason"] == "too_many_plain_groups"
        with usherd.connect(f"app_{number}", person.token) as other:
            other.ping()    # other categories are not counted
        first.close()

        def third():
            try:
                return usherd.connect(names[2], person.token)
            except Refused:
                return None
        with eventually(third, what="a plain group that is free again") \
                as client:
            db(f"NOTIFY \"{names[2]}\", 'in its place'")
            assert client.receive() == "in its place"
        db(f"NOTIFY \"{names[1]}\", 'still'")
        assert second.receive() == "still"


def test_a_name_too_long_for_a_channel_is_refused_in_a_plain_category(
        usherd, db, number, person):
    name = f"plain_{number}".ljust(64, "x")
    with pytest.raises(Refused) as refused:
        usherd.connect(name, person.token)
    assert refused.value.status == 404
    assert refused.value.json()["reason"] == "plain_name_too_long"
    with usherd.connect(name[:63], person.token) as client:
        db(f"NOTIFY \"{name[:63]}\", 'fits'")
        assert client.receive() == "fits"


def test_nobody_can_forge_a_message_on_a_channel_he_guesses(usherd, db,
                                                            member, group):
    for channel in ("usher", "usherd", group):
        db(f"NOTIFY \"{channel}\", 'm 0 t {group} forged'")
    db.tell(group, "real")
    assert member.receive() == "real"
