"""What the views usher.connection and usher.listener tell an operator."""
import json

import pytest

from harness import eventually
from support_groups import Crowd
from support_v1 import V1Client

QUICK = {"report_interval": "100ms", "lease": "1500ms"}


@pytest.fixture
def quick(start_usherd):
    return start_usherd(**QUICK)


def listener_of(client):
    return client.welcome["connection"].split(".")[0]


def count(db, column, value):
    return db.value(f"SELECT count(*) FROM usher.connection WHERE {column}"
                    " = %s", value)


def is_listed(db, listener):
    return db.value("SELECT EXISTS (SELECT FROM usher.listener"
                    " WHERE listener = %s)", listener)


def wait_count(db, column, value, wanted):
    eventually(lambda: count(db, column, value) == wanted,
               what=f"{wanted} rows of {column} {value}")


def test_each_kind_of_credential_is_named_and_can_be_found(
        quick, db, person, group):
    key = db.issue(person)
    with V1Client(quick, person.token) as by_token, \
            V1Client(quick, query=f"?session_key={key}"):
        wait_count(db, "user_id", person.id, 2)
        rows = dict(db("SELECT kind, credential_id IS NOT NULL AND position(%s"
                       " IN credential_id) = 0 FROM usher.connection WHERE"
                       " user_id = %s", key, person.id))
        assert rows == {"token": True, "session": True}
        with V1Client(quick) as nobody:
            nobody.auth()
            wait_count(db, "listener", listener_of(by_token), 3)
            assert db("SELECT user_id, username, credential_id FROM"
                      " usher.connection WHERE kind = 'anonymous' AND"
                      " connection = %s", nobody.welcome["connection"]) == \
                [(None, None, None)]


def test_who_has_not_said_who_he_is_is_in_no_view(quick, db, person):
    with V1Client(quick), V1Client(quick, person.token) as known:
        wait_count(db, "user_id", person.id, 1)
        assert count(db, "listener", listener_of(known)) == 1
        eventually(lambda: db.value(
            "SELECT connections FROM usher.listener WHERE listener = %s",
            listener_of(known)) == 2)


def test_since_when_somebody_is_connected_does_not_change(
        quick, db, person, group):
    def since():
        return db("SELECT connected_at, groups FROM usher.connection"
                  " WHERE user_id = %s", person.id)
    with V1Client(quick, person.token) as client:
        wait_count(db, "user_id", person.id, 1)
        (before, _), = since()
        assert db.value("SELECT abs(extract(epoch FROM now() - %s)) < 5",
                        before)
        client.subscribe(group)
        eventually(lambda: since()[0][1] == [group])
        (after, _), = since()
        assert abs((after - before).total_seconds()) < 0.05


def test_the_listener_says_what_it_is(quick, db, person):
    with V1Client(quick, person.token) as client:
        wait_count(db, "user_id", person.id, 1)
        (pid, listen, version, host), = db(
            "SELECT pid, listen, version, host FROM usher.listener"
            " WHERE listener = %s", listener_of(client))
        assert pid == quick.pid and listen == f"127.0.0.1:{quick.port}"
        assert version and host


def test_rows_of_a_listener_that_is_killed_go_with_its_lease(
        start_usherd, db, person):
    killed = start_usherd(**QUICK)
    client = V1Client(killed, person.token)
    wait_count(db, "user_id", person.id, 1)
    name = listener_of(client)
    assert is_listed(db, name)
    killed.kill()
    client.abort()
    wait_count(db, "user_id", person.id, 0)
    assert not is_listed(db, name)


def test_rows_of_a_listener_that_stops_go_at_once(start_usherd, db, person):
    stopped = start_usherd(report_interval="100ms", lease="600s",
                           close_timeout="300ms")
    client = V1Client(stopped, person.token)
    wait_count(db, "user_id", person.id, 1)
    name = listener_of(client)
    assert stopped.stop() == 0
    client.abort()
    assert count(db, "user_id", person.id) == 0
    assert not is_listed(db, name)


def test_a_listener_with_nothing_to_tell_keeps_its_lease(quick, db, person):
    """Nothing happens for longer than the lease is."""
    with V1Client(quick, person.token) as client:
        wait_count(db, "user_id", person.id, 1)
        db("SELECT pg_sleep(2)")
        assert count(db, "user_id", person.id) == 1
        client.alive()


def test_what_was_reported_is_told_anew_when_the_database_forgot_it(
        quick, db, sql, person, group):
    with V1Client(quick, person.token) as client:
        client.subscribe(group)
        wait_count(db, "user_id", person.id, 1)
        name = listener_of(client)
        sql(f"SELECT usher.forget_listeners(ARRAY['{name}'])")
        eventually(lambda: db("SELECT groups FROM usher.connection WHERE"
                              " user_id = %s", person.id) == [([group],)])


def test_a_report_that_fails_is_told_again(quick, db, sql, person, group):
    """While it may not call the function nothing is lost and nobody closed,
    and the log says it once."""
    with V1Client(quick, person.token) as client:
        wait_count(db, "user_id", person.id, 1)
        sql("REVOKE EXECUTE ON FUNCTION usher.report(jsonb)"
            " FROM usher_listener")
        try:
            client.subscribe(group)
            quick.wait_log("report: the database does not take it")
            client.ask("unsubscribe", group=group)
            client.subscribe(group + "x")
            client.alive()
        finally:
            sql("GRANT EXECUTE ON FUNCTION usher.report(jsonb)"
                " TO usher_listener")
        eventually(lambda: db("SELECT groups FROM usher.connection WHERE"
                              " user_id = %s", person.id) == [([group + "x"],)])
        assert quick.log().count("report: the database does not") == 1


def test_kicking_rows_of_the_view_closes_the_raw_clients_of_that_user(
        quick, db, group):
    alice, bob = db.add_people(2)
    with quick.connect(group, alice.token) as stays, \
            quick.connect(group, bob.token) as goes:
        wait_count(db, "username", bob.name, 1)
        db("SELECT usher.kick(user_id, g) FROM usher.connection,"
           " unnest(groups) AS g WHERE username = %s", bob.name)
        assert goes.wait_close().code == 4410
        stays.ping()
    wait_count(db, "username", bob.name, 0)


def test_names_with_quotes_and_other_scripts_arrive_as_they_are(
        quick, db, make_user, site):
    user = make_user()
    name = 'o"ne\\ Zoë 漢'
    db("UPDATE auth_user SET username = %s WHERE id = %s", name, user.id)
    token = site.create_token(user).key
    with V1Client(quick, token) as client:
        assert json.dumps(client.welcome["username"]) == json.dumps(name)
        wait_count(db, "username", name, 1)


def test_more_connections_than_one_report_holds_are_told_at_once(
        start_usherd, db, sql, person):
    """The rest does not wait for the next report_interval."""
    usherd = start_usherd(report_interval="4s", lease="60s", drain_time="0",
                          close_timeout="300ms")
    sql("REVOKE EXECUTE ON FUNCTION usher.report(jsonb) FROM usher_listener")
    try:
        with V1Client(usherd, person.token) as first, \
                Crowd(usherd, "app_1", [person.token] * 2100):
            assert count(db, "user_id", person.id) == 0
            sql("GRANT EXECUTE ON FUNCTION usher.report(jsonb)"
                " TO usher_listener")
            eventually(lambda: count(db, "user_id", person.id) > 0)
            eventually(lambda: count(db, "user_id", person.id) == 2101, 2)
            first.alive()
    finally:
        sql("GRANT EXECUTE ON FUNCTION usher.report(jsonb) TO usher_listener")
