"""usher.v1: the errors that need something to be wrong outside of the message.

A table is gone, PostgreSQL is not reached, a queue is full, the site's
function raises, somebody does not read.  Each is provoked, not simulated; the
client is told so with code and reason, goes on where protocol.md says that it
does, and what was refused works when its cause is gone.
"""
import contextlib

import pytest
from harness import eventually
from harness.client import Closed
from support_groups import Proxy
from support_v1 import V1Client

FOREIGN = "http://evil.example"

# The listener's own report is a call, too, and is what "join" comes from: not
# while calls or messages are counted.
NO_REPORTS = {"report_interval": "20min", "lease": "1h"}
PATIENT = {"call_timeout": "60s", "auth_timeout": "60s"}

# What of a client's messages the database is asked about.
VERBS = ["subscribe", "send", "refresh", "presence"]


# ---- what the tests share -----------------------------------------------

@pytest.fixture
def functions(db):
    """functions("name", body, arguments, returns): a function of the site in
    plpgsql, dropped afterwards."""
    db("CREATE SCHEMA hooks")
    db("GRANT USAGE ON SCHEMA hooks TO usher_app")

    def create(name, body, arguments="id text", returns="boolean"):
        db(f"CREATE FUNCTION hooks.{name}(user_id text, {arguments})"
           f" RETURNS {returns} LANGUAGE plpgsql AS"
           f" $body$BEGIN {body} END$body$")
        return f"hooks.{name}"

    yield create
    db("DROP SCHEMA hooks CASCADE")


@pytest.fixture
def room(db, category):
    """A group in which all that a client can ask for is answered."""
    db.set_category(category, join="authenticated", send="authenticated",
                    presence=True)
    return f"{category}_1"


class Gate:
    """While it is shut, each message sent to the room waits in on_message,
    and so does the call that brought it."""

    def __init__(self, db, number):
        self.db = db
        self.number = number

    @contextlib.contextmanager
    def shut(self):
        self.db("SELECT pg_advisory_lock(%s)", self.number)
        try:
            yield
        finally:
            self.db("SELECT pg_advisory_unlock(%s)", self.number)

    def wait_for(self, count):
        """Until so many stand before it."""
        eventually(lambda: self.standing() == count, what="calls at the gate")

    def standing(self):
        return self.db.value("SELECT count(*) FROM pg_locks WHERE NOT granted"
                             " AND locktype = 'advisory' AND objid = %s",
                             self.number)


@pytest.fixture
def gate(db, category, number, room, functions):
    db.set_category(category, join="authenticated", send="authenticated",
                    presence=True, on_message=functions(
                        "through_the_gate", "PERFORM"
                        f" pg_advisory_xact_lock_shared({number});"
                        " RETURN payload;", "id text, payload jsonb",
                        "jsonb"))
    return Gate(db, number)


def members_of(verb, room, token):
    """Of a message that is answered by no error, if nothing is wrong."""
    return {"subscribe": {"group": room + "-2"},
            "send": {"group": room, "data": verb},
            "refresh": {"token": token},
            "presence": {"group": room}}[verb]


def refused(client, code, reason, verb, **members):
    """It is refused for that reason, and nothing else is; the answer."""
    answer = client.refused(code, reason, verb, **members)
    assert answer.get("group") == members.get("group")
    if code in (1013, 4429):
        assert answer["retry_after_ms"] > 0
    client.alive()
    return answer


def granted(client, verb, **members):
    """It is not refused, and does what it does."""
    client.say(verb, id="granted", **members)
    answers = [client.receive_json()]
    if verb == "send":
        answers.append(client.receive_json())   # its own message
        answers.sort(key=lambda answer: answer["type"])
        assert answers[0]["data"] == members["data"]
    assert answers[-1]["type"] == {"subscribe": "subscribed",
                                   "presence": "presence"}.get(verb, "ok"), \
        answers
    client.alive()


def turned_away(usherd, code, reason, token=None, headers=(), **how):
    """Connecting is answered by 101, an error and a close frame; the error."""
    headers = list(headers)
    if token is not None:
        headers.append(("Authorization", f"Token {token}"))
    with V1Client(usherd, headers=headers, **how) as client:
        assert client.protocol.subprotocol == "usher.v1"
        error = client.expect("error", code=code, reason=reason)
        assert error["detail"]
        assert "id" not in error
        with pytest.raises(Closed) as closed:
            client.receive()
        assert (closed.value.code, closed.value.reason) == (code, reason)
        return error


def closed_at_auth(usherd, code, reason, token):
    """auth is answered by an error, a close message and a close frame; that
    message."""
    with V1Client(usherd) as client:
        answer = client.refused(code, reason, "auth", token=token)
        if code in (1013, 4429):
            assert answer["retry_after_ms"] > 0
        return client.expect_close(code, reason)[-1]


def wait_unready(usherd):
    eventually(lambda: not usherd.is_ready(), what="/readyz says no")


def wait_ready(usherd):
    eventually(usherd.is_ready, 30, what="/readyz says yes again")


# ---- 1013 overloaded ----------------------------------------------------

@pytest.mark.parametrize("verb", VERBS)
def test_a_question_too_many_is_refused_as_overloaded_until_one_is_answered(
        verb, start_usherd, room, gate, person):
    usherd = start_usherd(max_pending_calls=1, **NO_REPORTS, **PATIENT)
    members = members_of(verb, room, person.token)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        with gate.shut():
            client.say("send", id="first", group=room, data="first")
            gate.wait_for(1)
            refused(client, 1013, "overloaded", verb, **members)
        answers = [client.receive_json() for _ in range(2)]
        assert sorted((a["type"], a.get("id"), a.get("data"))
                      for a in answers) == \
            [("message", None, "first"), ("ok", "first", None)]
        granted(client, verb, **members)


@pytest.fixture
def full_usherd(start_usherd, room, gate, person):
    """A listener that has as many questions as it may."""
    usherd = start_usherd(max_pending_calls=1, **NO_REPORTS, **PATIENT)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        with gate.shut():
            client.say("send", group=room, data=1)
            gate.wait_for(1)
            yield usherd


def test_who_says_who_he_is_to_an_overloaded_listener_may_come_back(
        full_usherd, make_token):
    last = closed_at_auth(full_usherd, 1013, "overloaded", make_token())
    assert last["reconnect"] is True
    assert last["reconnect_after_ms"] >= 0


def test_a_credential_of_the_handshake_is_refused_by_an_overloaded_listener(
        full_usherd, make_token):
    turned_away(full_usherd, 1013, "overloaded", make_token())


def test_a_client_beyond_max_connections_is_refused_as_overloaded(
        start_usherd, person):
    usherd = start_usherd(max_connections=1)
    with V1Client(usherd, person.token) as client:
        turned_away(usherd, 1013, "overloaded", person.token)
        client.alive()


# ---- 1011 internal_error ------------------------------------------------

@contextlib.contextmanager
def missing(sql, table):
    """Nobody finds the table."""
    name = table.split(".")[-1]
    sql(f"ALTER TABLE {table} RENAME TO hidden_{name}")
    try:
        yield
    finally:
        sql(f"ALTER TABLE {table.replace(name, 'hidden_' + name)}"
            f" RENAME TO {name}")


@pytest.mark.parametrize("verb, table", [
    ("subscribe", "authtoken_token"), ("send", "usher.category"),
    ("refresh", "authtoken_token"), ("presence", "usher.live_presence")])
def test_an_error_of_the_database_refuses_one_message_and_goes_by(
        verb, table, start_usherd, room, person, sql):
    usherd = start_usherd(**NO_REPORTS)
    members = members_of(verb, room, person.token)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        with missing(sql, table):
            refused(client, 1011, "internal_error", verb, **members)
        granted(client, verb, **members)
    assert " failed: 42P01 " in usherd.log()


def test_who_cannot_be_looked_up_for_an_error_is_closed_1011(usherd, person,
                                                            sql):
    with missing(sql, "authtoken_token"):
        last = closed_at_auth(usherd, 1011, "internal_error", person.token)
        assert last["reconnect"] is True
        turned_away(usherd, 1011, "internal_error", person.token)
    with V1Client(usherd, person.token) as client:
        client.alive()


# ---- 1013 database_unavailable ------------------------------------------

@pytest.fixture
def proxy(cluster):
    with Proxy(cluster.port) as proxy:
        yield proxy


@pytest.fixture
def start_through(proxy, site, start_usherd):
    """start_through(auth_timeout="1s"): a listener that reaches PostgreSQL
    through the proxy."""
    def start(**settings):
        return start_usherd(database=f"host=127.0.0.1 port={proxy.port}"
                            f" dbname={site.database} user=usherd",
                            **NO_REPORTS, **settings)
    return start


@pytest.mark.parametrize("verb", VERBS)
def test_while_the_database_is_away_each_question_is_told_so(
        verb, start_through, proxy, db, room, person):
    usherd = start_through(auth_timeout="500ms")
    members = members_of(verb, room, person.token)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        proxy.cut()
        wait_unready(usherd)
        refused(client, 1013, "database_unavailable", verb, **members)
        proxy.restore()
        wait_ready(usherd)
        # What was refused is not done after all.
        db("SELECT usher.broadcast(%s, '\"after\"')", room)
        client.expect("message", group=room, data="after")
        granted(client, verb, **members)


def test_a_newcomer_is_told_that_the_database_is_away(start_through, proxy,
                                                      person):
    usherd = start_through(auth_timeout="500ms")
    proxy.cut()
    wait_unready(usherd)
    turned_away(usherd, 1013, "database_unavailable", person.token)
    last = closed_at_auth(usherd, 1013, "database_unavailable", person.token)
    assert last["reconnect"] is True


def test_a_send_that_was_under_way_when_the_connection_broke_is_refused(
        start_through, proxy, room, gate, person):
    usherd = start_through(**PATIENT)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        with gate.shut():
            client.say("send", id="lost", group=room, data=1)
            gate.wait_for(1)
            proxy.cut()
            error = client.expect("error", id="lost", group=room, code=1013,
                                  reason="database_unavailable")
            assert error["retry_after_ms"] > 0
            client.alive()


def test_a_send_that_takes_longer_than_call_timeout_is_refused(
        start_usherd, room, gate, person):
    usherd = start_usherd(call_timeout="300ms", auth_timeout="60s",
                          **NO_REPORTS)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        with gate.shut():
            refused(client, 1013, "database_unavailable", "send", group=room,
                    data="refused")
        granted(client, "send", group=room, data="granted")


def test_a_send_that_was_given_up_may_be_done_all_the_same(
        start_usherd, db, room, gate, person):
    """The one thing that an error does not rule out: see protocol.md."""
    usherd = start_usherd(call_timeout="60s", auth_timeout="300ms",
                          **NO_REPORTS)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        with gate.shut():
            refused(client, 1013, "database_unavailable", "send", group=room,
                    data="late")
        client.expect("message", group=room, data="late")
        granted(client, "send", group=room, data="granted")


# ---- 4403 policy_error --------------------------------------------------

RAISE = "RAISE EXCEPTION 'the moon is full';"


def test_a_join_function_that_raises_keeps_clients_out_of_its_groups_only(
        usherd, db, category, functions, person, group):
    db.set_category(category, join=functions(
        "joins", f"IF id = 'bad' THEN {RAISE} END IF; RETURN true;"))
    with V1Client(usherd, person.token) as client:
        client.say("subscribe", id="all", groups=[
            f"{category}_bad", f"{category}_good", group])
        answers = {a["group"]: a for a in
                   (client.receive_json() for _ in range(3))}
        error = answers[f"{category}_bad"]
        assert (error["type"], error["code"], error["reason"]) == \
            ("error", 4403, "policy_error")
        assert answers[f"{category}_good"]["type"] == "subscribed"
        assert answers[group]["type"] == "subscribed"
        refused(client, 4403, "policy_error", "subscribe",
                group=f"{category}_bad")
        refused(client, 4403, "not_subscribed", "send",
                group=f"{category}_bad", data=1)


@pytest.mark.parametrize("rule", ["send", "on_message"])
def test_a_function_that_raises_at_a_message_refuses_that_message_only(
        rule, usherd, db, category, functions, person):
    db("CREATE TABLE hooks.moon (full_now boolean)")
    db("GRANT SELECT ON hooks.moon TO usher_app")
    body = f"IF EXISTS (SELECT FROM hooks.moon) THEN {RAISE} END IF; RETURN "
    rules = {"join": "authenticated", "send": "authenticated"}
    if rule == "send":
        rules["send"] = functions("sends", body + "true;")
    else:
        rules["on_message"] = functions("hears", body + "payload;",
                                        "id text, payload jsonb", "jsonb")
    db.set_category(category, **rules)
    with V1Client(usherd, person.token) as client:
        assert client.subscribe(f"{category}_1")["send"] is True
        db("INSERT INTO hooks.moon VALUES (true)")
        refused(client, 4403, "policy_error", "send", group=f"{category}_1",
                data=1)
        db("DELETE FROM hooks.moon")
        granted(client, "send", group=f"{category}_1", data=1)


# ---- what on_message takes ----------------------------------------------

@pytest.fixture
def echo(db, category, functions):
    """echo("bytea"): a group whose on_message takes that."""
    def make(type):
        db.set_category(category, join="authenticated", send="authenticated",
                        on_message=functions("echo", "RETURN payload;",
                                             f"id text, payload {type}", type))
        return f"{category}_1"
    return make


SENT = {"json": {"a": 1}, "text": "hello", "binary": "AAH/"}


@pytest.mark.parametrize("takes, format, instead", [
    ("bytea", "json", "binary"), ("bytea", "text", "binary"),
    ("jsonb", "binary", "json"), ("text", "binary", "text")])
def test_a_format_that_on_message_does_not_take_is_refused_1003(
        takes, format, instead, usherd, echo, person):
    room = echo(takes)
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        refused(client, 1003, "unsupported_type", "send", group=room,
                format=format, data=SENT[format])
        granted(client, "send", group=room, format=instead,
                data=SENT[instead])


@pytest.mark.parametrize("text", ["{broken", "", "hello", "{} {}", "NaN"])
def test_text_that_is_no_json_is_refused_where_on_message_takes_json(
        text, usherd, echo, person):
    room = echo("jsonb")
    with V1Client(usherd, person.token) as client:
        client.subscribe(room)
        refused(client, 4400, "invalid_json", "send", group=room,
                format="text", data=text)
        client.say("send", group=room, format="text", data='{"a": [1]}')
        message = client.expect("message", group=room, data={"a": [1]})
        assert "format" not in message
        client.alive()


# ---- 4430 too_slow ------------------------------------------------------

def tell_many(db, group, first, count, size=8000):
    db("SELECT usher.broadcast_text(%s, rpad(i || ':', %s, 'x'))"
       " FROM generate_series(%s, %s) AS i", group, size, first,
       first + count - 1)
    return first + count


@pytest.mark.parametrize("bound", ["queue_bytes", "queue_age"])
def test_who_does_not_read_is_told_that_he_was_too_slow_when_he_does(
        bound, start_usherd, db, group, person):
    settings = {"queue_bytes": "64MB", "queue_age": "60s"}
    settings[bound] = {"queue_bytes": "256kB", "queue_age": "300ms"}[bound]
    usherd = start_usherd(ping_interval="0", close_timeout="60s", **settings)
    with V1Client(usherd, person.token) as stopped, \
            V1Client(usherd, person.token) as other:
        stopped.subscribe(group)
        sent = 0
        # The kernel's buffers come first, and nobody knows how large they
        # are; 32 MB are too much for them.
        while "too_slow" not in usherd.log() and sent < 4000:
            sent = tell_many(db, group, sent, 250)
            other.alive()
        usherd.wait_log("closing with 4430: too_slow")
        messages = stopped.expect_close(4430, "too_slow")
        *told, last = messages
        assert [m["data"].split(":")[0] for m in told] == \
            [str(i) for i in range(len(told))]
        # He missed something, or there was no reason to close him.
        assert 0 < len(told) < sent
        assert last["reconnect"] is True
        assert last["reconnect_after_ms"] >= 0
        assert last["detail"]
        other.alive()


def test_what_is_held_back_counts_as_waiting_too(start_usherd, db, category,
                                                 number, functions, person):
    """The client reads; it is the answer about the group that is slow."""
    db.set_category(category, join=functions(
        "joins", f"PERFORM pg_advisory_xact_lock_shared({number});"
        " RETURN true;"))
    usherd = start_usherd(queue_bytes="64kB", **PATIENT)
    gate = Gate(db, number)
    with V1Client(usherd, person.token) as client:
        client.subscribe(f"{category}_1")
        with gate.shut():
            db("SELECT usher.recheck(%s)", f"{category}_1")
            gate.wait_for(1)
            tell_many(db, f"{category}_1", 0, 7)
            client.alive()
            tell_many(db, f"{category}_1", 7, 7)
            assert len(client.expect_close(4430, "too_slow")) == 1


# ---- 4429 ---------------------------------------------------------------

def test_a_plain_group_too_many_is_refused_until_another_is_left(
        start_usherd, db, number, group, person, make_token):
    usherd = start_usherd(max_plain_groups=2)
    names = [f"plain_{number}-{i}" for i in range(3)]
    with V1Client(usherd, person.token) as client, \
            V1Client(usherd, make_token()) as other:
        client.subscribe(names[0])
        other.subscribe(names[1])
        client.subscribe(names[1])      # has members already
        refused(client, 4429, "too_many_plain_groups", "subscribe",
                group=names[2])
        client.subscribe(group)         # needs no LISTEN
        assert client.ask("unsubscribe", group=names[0])["type"] == "ok"
        client.subscribe(names[2])
        db(f"NOTIFY \"{names[2]}\", 'in its place'")
        client.expect("message", group=names[2], data="in its place")
        refused(other, 4429, "too_many_plain_groups", "subscribe",
                group=names[0])


@pytest.mark.parametrize("whose", ["user", "address"])
def test_a_connection_too_many_is_refused_until_another_ends(
        whose, start_usherd, person, make_token):
    usherd = start_usherd(**{f"max_connections_per_{whose}": 1})
    with V1Client(usherd, person.token) as client:
        turned_away(usherd, 4429, "too_many_connections", person.token)
        client.alive()
        if whose == "user":
            with V1Client(usherd, make_token()) as other:
                other.alive()

    def is_served():
        with V1Client(usherd, headers=[
                ("Authorization", f"Token {person.token}")]) as client:
            return client.receive_json()["type"] == "welcome"
    eventually(is_served, what="room for one again")


def test_a_user_with_too_many_connections_is_closed_at_auth(
        start_usherd, person, make_token):
    usherd = start_usherd(max_connections_per_user=1)
    with V1Client(usherd, person.token) as client:
        last = closed_at_auth(usherd, 4429, "too_many_connections",
                              person.token)
        assert last["reconnect"] is True
        with V1Client(usherd) as other:
            assert other.auth(make_token())["type"] == "welcome"
        client.alive()


# ---- 4403 origin_not_allowed --------------------------------------------

@pytest.mark.parametrize("credential", ["token", "none"])
def test_a_page_of_an_origin_that_is_not_listed_is_refused(
        credential, start_usherd, person):
    usherd = start_usherd(allowed_origins="https://a.example")
    token = person.token if credential == "token" else None
    turned_away(usherd, 4403, "origin_not_allowed", token, origin=FOREIGN)
    with V1Client(usherd, token, origin="https://a.example") as client:
        if token is None:
            client.auth(person.token)
        assert client.welcome["user"] == person.id
        client.alive()


def test_a_cookie_on_a_page_of_another_origin_is_refused(usherd):
    cookie = [("Cookie", "sessionid=nonsense")]
    turned_away(usherd, 4403, "origin_not_allowed", headers=cookie,
                origin=FOREIGN)
    # On the host's own page it is looked at.
    with V1Client(usherd, headers=cookie, origin=usherd.origin) as client:
        assert client.receive_json()["code"] == 4401


# ---- trying again -------------------------------------------------------

@pytest.mark.parametrize("limit, code, reason", [
    ("max_connections", 1013, "overloaded"),
    ("max_connections_per_user", 4429, "too_many_connections"),
    ("max_connections_per_address", 4429, "too_many_connections")])
def test_who_is_refused_for_now_is_told_when_to_try_again(
        limit, code, reason, start_usherd, person):
    """protocol.md: retry_after_ms comes with 4429 and 1013."""
    usherd = start_usherd(**{limit: 1})
    with V1Client(usherd, person.token):
        error = turned_away(usherd, code, reason, person.token)
        assert error["retry_after_ms"] > 0
