"""Who is in a group, by user, over all listeners."""
import time

import pytest

from harness import eventually
from support_v1 import V1Client

QUICK = {"report_interval": "100ms", "presence_delay": "600ms",
         "lease": "1500ms"}


@pytest.fixture
def room(db, category):
    """A group whose category keeps presence."""
    db.set_category(category, join="anyone", send="authenticated",
                    presence=True)
    return f"{category}_1"


@pytest.fixture
def quick(start_usherd):
    return start_usherd(**QUICK)


def there(db, room):
    return [row[0] for row in
            db("SELECT user_id FROM usher.presence(%s) ORDER BY 1", room)]


def event(client, type, person, room):
    message = client.expect(type, group=room)
    assert (message["user"], message["username"]) == (person.id, person.name)


def test_members_are_told_who_comes_and_who_has_left(quick, db, room):
    alice, bob = db.add_people(2)
    with V1Client(quick, alice.token) as watching:
        assert watching.subscribe(room)["presence"] is True
        event(watching, "join", alice, room)
        with V1Client(quick, bob.token) as other:
            other.subscribe(room)
            event(watching, "join", bob, room)
            answer = watching.ask("presence", group=room)
            assert answer["type"] == "presence" and answer["group"] == room
            assert sorted(u["user"] for u in answer["users"]) == \
                sorted([alice.id, bob.id])
            assert there(db, room) == sorted([alice.id, bob.id])
        event(watching, "leave", bob, room)
        assert there(db, room) == [alice.id]


def test_presence_joins_with_the_users_table(quick, db, room, person):
    with V1Client(quick, person.token) as client:
        client.subscribe(room)
        client.expect("join")
        assert db("SELECT u.username, p.since <= now() FROM usher.presence(%s)"
                  " AS p JOIN auth_user AS u ON u.id::text = p.user_id",
                  room) == [(person.name, True)]


def test_who_comes_back_within_the_delay_neither_leaves_nor_joins(
        quick, db, room):
    alice, bob = db.add_people(2)
    with V1Client(quick, alice.token) as watching:
        watching.subscribe(room)
        event(watching, "join", alice, room)
        with V1Client(quick, bob.token) as client:
            client.subscribe(room)
            event(watching, "join", bob, room)
        with V1Client(quick, bob.token) as client:
            client.subscribe(room)
            time.sleep(1.2)
            watching.alive()
        event(watching, "leave", bob, room)


def test_a_user_with_two_connections_leaves_with_the_last(quick, db, room):
    alice, bob = db.add_people(2)
    with V1Client(quick, alice.token) as watching:
        watching.subscribe(room)
        event(watching, "join", alice, room)
        with V1Client(quick, bob.token) as one:
            one.subscribe(room)
            event(watching, "join", bob, room)
            with quick.connect(room, bob.token):    # raw counts as well
                pass
            time.sleep(1.0)
            watching.alive()
            one.say("unsubscribe", group=room)
            event(watching, "leave", bob, room)


def test_presence_is_over_all_listeners(start_usherd, db, room):
    first, second = start_usherd(**QUICK), start_usherd(**QUICK)
    alice, bob = db.add_people(2)
    with V1Client(first, alice.token) as watching:
        watching.subscribe(room)
        event(watching, "join", alice, room)
        with V1Client(first, bob.token) as here:
            here.subscribe(room)
            event(watching, "join", bob, room)
            with V1Client(second, bob.token) as other:
                other.subscribe(room)
                time.sleep(0.5)
                here.close()
                time.sleep(1.0)
                watching.alive()    # he is still at the other one
            event(watching, "leave", bob, room)


def test_a_listener_that_is_killed_leaves_no_ghosts(start_usherd, db, room):
    first, second = start_usherd(**QUICK), start_usherd(**QUICK)
    alice, bob = db.add_people(2)
    with V1Client(first, alice.token) as watching:
        watching.subscribe(room)
        event(watching, "join", alice, room)
        with V1Client(second, bob.token) as other:
            other.subscribe(room)
            event(watching, "join", bob, room)
            second.kill()
            event(watching, "leave", bob, room)
            assert there(db, room) == [alice.id]


def test_a_listener_that_stops_takes_its_users_along(start_usherd, db, room):
    first = start_usherd(**QUICK)
    second = start_usherd(**{**QUICK, "lease": "600s", "drain_time": "0"})
    alice, bob = db.add_people(2)
    with V1Client(first, alice.token) as watching:
        watching.subscribe(room)
        event(watching, "join", alice, room)
        with V1Client(second, bob.token) as other:
            other.subscribe(room)
            event(watching, "join", bob, room)
        second.stop()
        event(watching, "leave", bob, room)


def test_nobody_in_particular_is_not_counted(quick, db, room, person):
    with V1Client(quick, person.token) as watching:
        watching.subscribe(room)
        event(watching, "join", person, room)
        with V1Client(quick) as other:
            other.auth()
            other.subscribe(room)
            time.sleep(0.5)
            watching.alive()


def test_a_category_without_presence_says_so(quick, token, group):
    with V1Client(quick, token) as client:
        assert client.subscribe(group)["presence"] is False
        client.refused(4403, "no_presence", "presence", group=group)


def test_presence_that_is_turned_on_counts_who_is_there(
        quick, db, category, person):
    db.set_category(category, join="authenticated")
    room = f"{category}_1"
    with V1Client(quick, person.token) as client:
        client.subscribe(room)
        db.set_category(category, join="authenticated", presence=True)
        event(client, "join", person, room)
        db.set_category(category, join="authenticated")
        eventually(lambda: there(db, room) == [])


def test_a_kicked_user_leaves(quick, db, room):
    alice, bob = db.add_people(2)
    with V1Client(quick, alice.token) as watching, \
            V1Client(quick, bob.token) as other:
        watching.subscribe(room)
        event(watching, "join", alice, room)
        other.subscribe(room)
        event(watching, "join", bob, room)
        db("SELECT usher.kick(%s, %s)", bob.id, room)
        other.expect("join")
        event(watching, "leave", bob, room)


# ---- views --------------------------------------------------------------

def connections(db, listener):
    return db("SELECT connection, user_id, username, kind, address::text,"
              " protocol, groups FROM usher.connection WHERE connection"
              " LIKE %s || '.%%' ORDER BY connected_at", listener)


def test_the_views_say_who_is_connected_where(quick, db, person, group):
    with V1Client(quick, person.token) as client:
        connection = client.welcome["connection"]
        listener = connection.split(".")[0]
        eventually(lambda: connections(db, listener) == [
            (connection, person.id, person.name, "token", "127.0.0.1/32",
             "usher.v1", [])])
        client.subscribe(group)
        eventually(lambda: connections(db, listener)[0][6] == [group])
        with quick.connect("public_1") as raw:
            eventually(lambda: [row[1:] for row in
                                connections(db, listener)][1:] == [
                (None, None, "anonymous", "127.0.0.1/32", "raw",
                 ["public_1"])])
            assert db("SELECT version, listen, connections, now() - seen_at"
                      " < interval '5 s' FROM usher.listener WHERE listener"
                      " = %s", listener)[0][3]
            raw.close()
        eventually(lambda: len(connections(db, listener)) == 1)
        client.ask("unsubscribe", group=group)
        eventually(lambda: connections(db, listener)[0][6] == [])
    eventually(lambda: connections(db, listener) == [])


def test_a_row_of_the_view_can_be_kicked(quick, db, person, group):
    with V1Client(quick, person.token) as client:
        client.subscribe(group)
        eventually(lambda: db("SELECT usher.kick(user_id, g) FROM"
                              " usher.connection, unnest(groups) AS g"
                              " WHERE username = %s", person.name))
        client.expect("unsubscribed", group=group, reason="kicked")


def test_a_user_has_only_so_many_connections_over_all_listeners(
        start_usherd, db, person):
    first = start_usherd(**QUICK, max_connections_per_user=2)
    second = start_usherd(**QUICK, max_connections_per_user=2)
    with V1Client(first, person.token) as one, \
            V1Client(first, person.token) as two:
        eventually(lambda: db("SELECT count(*) FROM usher.connection WHERE"
                              " user_id = %s", person.id) == [(2,)])
        with V1Client(second, person.token) as three:
            three.expect_close(4429, "too_many_connections")
        one.alive()
        two.alive()


def test_after_a_crash_of_postgresql_the_rows_come_back(site, tmp_path):
    """Unlogged tables are empty then; the listener tells everything anew."""
    from harness import Cluster, Site, Usherd
    from support_groups import Sql
    with Cluster(settings={"synchronous_commit": "on"}) as cluster:
        own = Site(cluster)
        own.create()
        db = Sql(own)
        person, = db.add_people(1)
        db.set_category("stay", join="authenticated", presence=True)
        usherd = Usherd(own.conninfo(), **QUICK).start()
        try:
            with V1Client(usherd, person.token) as client:
                client.subscribe("stay_1")
                client.expect("join")
                eventually(lambda: there(db, "stay_1") == [person.id])
                db.close()
                cluster.kill9()
                cluster.start()
                db = Sql(own)
                eventually(lambda: there(db, "stay_1") == [person.id], 20)
                assert db("SELECT groups FROM usher.connection") == \
                    [(["stay_1"],)]
                db.close()
        finally:
            usherd.stop()
            usherd.remove()
            own.stop()
