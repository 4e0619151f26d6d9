"""Permissions that change while a client of usher.v1 is in its groups."""
import threading

import pytest

from harness.client import Closed
from support_groups import Sql
from support_v1 import V1Client


@pytest.fixture
def members(db, category):
    """Category of whose groups app.member names the members."""
    db("CREATE SCHEMA IF NOT EXISTS app")
    db("CREATE TABLE IF NOT EXISTS app.member"
       " (room text, user_id text, PRIMARY KEY (room, user_id))")
    db("CREATE OR REPLACE FUNCTION app.is_member(user_id text, id text)"
       " RETURNS boolean LANGUAGE sql STABLE AS $$SELECT EXISTS (SELECT FROM"
       " app.member AS m WHERE m.room = $2 AND m.user_id = $1)$$")
    db("GRANT USAGE ON SCHEMA app TO usher_app")
    db("GRANT SELECT ON app.member TO usher_app")
    db.set_category(category, join="app.is_member", send="app.is_member")
    yield category
    db("SELECT usher.unwatch_table('app.member')")
    db("DELETE FROM app.member")


def enter(db, room, *people):
    for person in people:
        db("INSERT INTO app.member VALUES (%s, %s) ON CONFLICT DO NOTHING",
           room, person.id)


@pytest.mark.parametrize("durable", [False, True])
def test_remove_bob_and_broadcast_a_secret_never_shows_it_to_bob(
        usherd, members, db, site, durable):
    """In one transaction, under load, in raw and JSON mode: sixty rounds, in
    each of which somebody is put out and the others are told a secret."""
    group = f"{members}_1"
    alice, bob = db.add_people(2)
    db.set_category(members, join="app.is_member", durable=durable)
    enter(db, "1", alice)
    stop = threading.Event()

    def chat():
        other = Sql(site)
        while not stop.is_set():
            other("SELECT usher.broadcast(%s, '\"noise\"')", group)
        other.close()

    noise = threading.Thread(target=chat)
    noise.start()
    try:
        with V1Client(usherd, alice.token) as stays, \
                V1Client(usherd, bob.token) as bob_v1:
            stays.subscribe(group)
            for round in range(60):
                enter(db, "1", bob)
                bob_v1.say("subscribe", id=round, group=group)
                while bob_v1.receive_json()["type"] != "subscribed":
                    pass
                with usherd.connect(group, bob.token) as bob_raw:
                    with db.transaction():
                        db("DELETE FROM app.member WHERE user_id = %s", bob.id)
                        db("SELECT usher.recheck(%s)", group)
                        db("SELECT usher.broadcast(%s, %s)", group,
                           f'"secret {round}"')
                    heard = []
                    while True:
                        message = bob_v1.receive_json()
                        if message["type"] == "unsubscribed":
                            break
                        heard.append(message["data"])
                    assert (message["code"], message["reason"]) == \
                        (4403, "permission_revoked")
                    try:
                        while True:
                            heard.append(bob_raw.receive().strip('"'))
                    except Closed as close:
                        assert close.code == 4403
                    assert set(heard) <= {"noise"}
                while stays.receive_json()["data"] != f"secret {round}":
                    pass
    finally:
        stop.set()
        noise.join()


def test_the_groups_of_a_client_in_doubt_do_not_wait_for_each_other(
        usherd, members, db, person, group):
    """What is asked about one group holds up no other."""
    room = f"{members}_1"
    enter(db, "1", person)
    with V1Client(usherd, person.token) as client:
        client.say("subscribe", groups=[room, group])
        client.expect("subscribed")
        client.expect("subscribed")
        for i in range(50):
            with db.transaction():
                db("SELECT usher.recheck(%s)", room)
                db("SELECT usher.broadcast(%s, %s)", room, str(i))
                db("SELECT usher.broadcast(%s, %s)", group, str(i))
        got = {room: [], group: []}
        for _ in range(100):
            message = client.expect("message")
            got[message["group"]].append(message["data"])
        assert got == {room: list(range(50)), group: list(range(50))}


def test_recheck_user_asks_about_all_groups_of_one_user(usherd, members, db):
    alice, bob = db.add_people(2)
    rooms = [f"{members}_{i}" for i in range(3)]
    for room in "012":
        enter(db, room, alice, bob)
    with V1Client(usherd, alice.token) as alice_client, \
            V1Client(usherd, bob.token) as bob_client:
        for client in (alice_client, bob_client):
            client.say("subscribe", groups=rooms)
            for _ in rooms:
                client.expect("subscribed")
        with db.transaction():
            db("DELETE FROM app.member WHERE room IN ('0', '2')")
            db("SELECT usher.recheck_user(%s)", bob.id)
        gone = {bob_client.expect("unsubscribed")["group"] for _ in range(2)}
        assert gone == {rooms[0], rooms[2]}
        bob_client.alive()
        alice_client.alive()


def test_kick_puts_a_user_out_of_one_group_and_he_may_come_back(
        usherd, db, person, group):
    with V1Client(usherd, person.token) as client, \
            usherd.connect(group, person.token) as raw:
        client.subscribe(group)
        client.subscribe(group + "x")
        with db.transaction():
            db("SELECT usher.broadcast(%s, '1')", group + "x")
            db("SELECT usher.kick(%s, %s)", person.id, group)
            db("SELECT usher.broadcast(%s, '\"not for him\"')", group)
        got = [client.receive_json() for _ in range(2)]
        assert {(m["type"], m["group"]) for m in got} == \
            {("unsubscribed", group), ("message", group + "x")}
        kicked = next(m for m in got if m["type"] == "unsubscribed")
        assert (kicked["code"], kicked["reason"]) == (4410, "kicked")
        with pytest.raises(Closed) as closed:
            raw.receive()
        assert closed.value.code == 4410
        client.alive()
        client.subscribe(group)


def test_a_watched_table_ties_its_rows_to_rechecks(usherd, members, db):
    alice, bob = db.add_people(2)
    enter(db, "1", alice, bob)
    db("SELECT usher.watch_table('app.member', %s, 'room')", members)
    group = f"{members}_1"
    with V1Client(usherd, alice.token) as alice_client, \
            V1Client(usherd, bob.token) as bob_client:
        alice_client.subscribe(group)
        bob_client.subscribe(group)
        with db.transaction():
            db("DELETE FROM app.member WHERE user_id = %s", bob.id)
            db("SELECT usher.broadcast(%s, '\"without bob\"')", group)
        bob_client.expect("unsubscribed", group=group)
        alice_client.expect("message", data="without bob")
        db("UPDATE app.member SET room = '2' WHERE user_id = %s", alice.id)
        alice_client.expect("unsubscribed", group=group)


def test_a_table_watched_by_user_asks_about_that_user_only(
        usherd, members, db):
    alice, bob = db.add_people(2)
    enter(db, "1", alice, bob)
    db("SELECT usher.watch_table('app.member', %s, 'room', 'user_id')",
       members)
    group = f"{members}_1"
    with V1Client(usherd, alice.token) as alice_client, \
            V1Client(usherd, bob.token) as bob_client:
        alice_client.subscribe(group)
        bob_client.subscribe(group)
        with db.transaction():
            db("ALTER TABLE app.member DISABLE TRIGGER usher_membership")
            db("DELETE FROM app.member WHERE user_id = %s", alice.id)
            db("ALTER TABLE app.member ENABLE ALWAYS TRIGGER usher_membership")
        db("DELETE FROM app.member WHERE user_id = %s", bob.id)
        bob_client.expect("unsubscribed", group=group)
        bob_client.alive()
        alice_client.alive()


def test_a_truncated_table_asks_about_the_whole_category(usherd, members, db):
    person = db.add_person()
    for room in "12":
        enter(db, room, person)
    db("SELECT usher.watch_table('app.member', %s, 'room')", members)
    with V1Client(usherd, person.token) as client:
        client.say("subscribe", groups=[f"{members}_1", f"{members}_2"])
        client.expect("subscribed")
        client.expect("subscribed")
        db("TRUNCATE app.member")
        gone = {client.expect("unsubscribed")["group"] for _ in range(2)}
        assert gone == {f"{members}_1", f"{members}_2"}


def test_new_rules_put_a_client_out_of_their_groups_only(
        usherd, db, category, person, group):
    db.set_category(category, join="authenticated")
    with V1Client(usherd, person.token) as client:
        client.subscribe(f"{category}_1")
        client.subscribe(group)
        db.set_category(category, join="nobody")
        client.expect("unsubscribed", group=f"{category}_1", code=4403,
                      reason="permission_revoked")
        client.alive()
        db("SELECT usher.broadcast(%s, '1')", group)
        client.expect("message", group=group)
