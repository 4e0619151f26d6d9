"""usher.v1: each message a client can send, and what it is answered."""
import base64
import signal
import time

import pytest

from harness.client import Refused
from support_v1 import V1Client


@pytest.fixture
def client(usherd, token):
    with V1Client(usherd, token) as client:
        yield client


# ---- who it is ----------------------------------------------------------

def test_a_credential_of_the_handshake_is_answered_by_a_welcome(
        usherd, person):
    with V1Client(usherd, person.token) as client:
        welcome = client.welcome
        assert client.protocol.subprotocol == "usher.v1"
        assert welcome["user"] == person.id
        assert welcome["username"] == person.name
        assert welcome["kind"] == "token"
        assert welcome["expires_at"] is None
        assert welcome["protocol"] == 1
        assert welcome["connection"].count(".") == 1
        assert "id" not in welcome


def test_the_subprotocol_carries_a_credential_beside_usher_v1(usherd, person):
    with V1Client(usherd, carried=f"Token {person.token}") as client:
        assert client.welcome["user"] == person.id
        assert client.protocol.subprotocol == "usher.v1"


def test_a_session_key_in_the_query_tells_when_it_expires(usherd, db, person):
    key = db.issue(person, "100 s")
    with V1Client(usherd, query=f"?session_key={key}") as client:
        assert client.welcome["kind"] == "session"
        assert client.welcome["expires_at"].endswith("Z")


def test_who_offers_no_subprotocol_is_served_the_same(usherd, person):
    with V1Client(usherd, person.token, offered=()) as client:
        assert client.welcome["user"] == person.id


def test_who_offers_only_other_subprotocols_is_refused(usherd, person):
    with pytest.raises(Refused) as refused:
        V1Client(usherd, person.token, offered=("graphql-ws",))
    assert refused.value.status == 400
    assert b"unsupported_protocol" in refused.value.body


def test_auth_as_the_first_message_is_answered_by_a_welcome(usherd, person):
    with V1Client(usherd) as client:
        welcome = client.auth(f"Token {person.token}")
        assert welcome["type"] == "welcome"
        assert welcome["user"] == person.id


@pytest.mark.parametrize("bare", ["token", "session"])
def test_auth_takes_a_bare_credential_by_its_form(usherd, db, person, bare):
    value = person.token if bare == "token" else db.issue(person)
    with V1Client(usherd) as client:
        assert client.auth(value)["kind"] == bare


def test_auth_without_a_token_makes_an_anonymous_client(usherd):
    with V1Client(usherd) as client:
        welcome = client.auth()
        assert welcome["type"] == "welcome"
        assert welcome["user"] is None and welcome["kind"] == "anonymous"
        client.refused(4401, "no_credentials", "subscribe", group="app_1")
        client.subscribe("public_v1")


def test_a_refused_auth_is_an_error_and_the_end(usherd):
    with V1Client(usherd) as client:
        client.refused(4401, "unknown_token", "auth", token="Token 1234")
        client.expect_close(4401, "unknown_token")


def test_a_token_that_cannot_be_one_is_refused_without_a_look_up(usherd):
    with V1Client(usherd) as client:
        client.refused(4401, "malformed_credential", "auth", token="a b c d")
        client.expect_close(4401, "malformed_credential")


def test_an_expired_session_key_is_4419(usherd, db, person):
    key = db.issue(person, "1 s")
    time.sleep(1.1)
    with V1Client(usherd) as client:
        client.refused(4419, "expired", "auth", token=key)
        client.expect_close(4419, "expired")


def test_a_refused_credential_of_the_handshake_is_an_error_and_a_close(usherd):
    with V1Client(usherd, headers=[("Authorization", "Token 12")]) as client:
        client.expect("error", code=4401, reason="unknown_token")
        assert client.wait_close().code == 4401


def test_nothing_but_auth_is_heard_before_auth(usherd, person):
    with V1Client(usherd) as client:
        for type, members in [("ping", {}), ("subscribe", {"group": "app_1"}),
                              ("refresh", {"token": "x"})]:
            client.refused(4401, "not_authenticated", type, **members)
        assert client.auth(person.token)["type"] == "welcome"
        client.refused(4400, "already_authenticated", "auth",
                       token=person.token)
        client.alive()


def test_auth_after_a_credential_of_the_handshake_is_refused(client, token):
    client.refused(4400, "already_authenticated", "auth", token=token)
    client.alive()


def test_who_does_not_say_who_it_is_is_closed_4408(start_usherd):
    usherd = start_usherd(auth_timeout="400ms")
    with V1Client(usherd) as client:
        client.expect_close(4408, "auth_timeout")


def test_what_is_sent_behind_auth_waits_for_it(usherd, person, group):
    """All in one write, in the order in which it was said."""
    with V1Client(usherd) as client:
        for message in ('{"type":"auth","id":1,"token":"%s"}' % person.token,
                        '{"type":"subscribe","id":2,"group":"%s"}' % group,
                        '{"type":"ping","id":3}'):
            client.protocol.send_text(message.encode())
        client.socket.sendall(b"".join(client.protocol.data_to_send()))
        client.expect("welcome", id=1)
        answers = [client.receive_json() for _ in range(2)]
        assert sorted((a["type"], a["id"]) for a in answers) == \
            [("ok", 3), ("subscribed", 2)]


def test_a_token_that_is_deleted_closes_the_client(usherd, db, person, group):
    with V1Client(usherd, person.token) as client:
        client.subscribe(group)
        db("DELETE FROM authtoken_token WHERE key = %s", person.token)
        messages = client.expect_close(4410, "revoked")
        assert messages[-1]["reconnect"] is False


# ---- groups -------------------------------------------------------------

def test_a_subscriber_gets_what_is_broadcast_from_then_on(client, db, group):
    answer = client.subscribe(group)
    assert answer["send"] is True and answer["presence"] is False
    assert "recovered" not in answer
    db("SELECT usher.broadcast(%s, '{\"a\": [1, null, \"x\"]}')", group)
    message = client.expect("message", group=group, data={"a": [1, None, "x"]})
    assert "format" not in message


def test_text_and_bytes_say_that_they_are_no_json(client, db, group):
    client.subscribe(group)
    db("SELECT usher.broadcast_text(%s, %s)", group, 'say "hé"\n\x07')
    client.expect("message", group=group, format="text", data='say "hé"\n\x07')
    for size in range(5):
        db("SELECT usher.broadcast_binary(%s, %s)", group, bytes(range(size)))
        message = client.expect("message", group=group, format="binary")
        assert base64.b64decode(message["data"], validate=True) == \
            bytes(range(size))


def test_several_groups_in_one_subscribe_are_answered_one_by_one(
        client, db, group):
    names = [f"{group}x{i}" for i in range(5)] + ["nowhere_1", "private_1"]
    client.say("subscribe", id="s", groups=names)
    answers = {a["group"]: a for a in
               (client.receive_json() for _ in names)}
    for name in names[:5]:
        assert answers[name]["type"] == "subscribed"
    assert answers["nowhere_1"]["reason"] == "unknown_group"
    assert answers["private_1"]["type"] == "error"
    assert all(a["id"] == "s" for a in answers.values())
    for name in names[:5]:
        db("SELECT usher.broadcast(%s, '1')", name)
        client.expect("message", group=name, data=1)


def test_a_wrong_name_in_a_subscribe_refuses_nothing_but_itself(client, group):
    wrong = ["a b", "", "x" * 100, 'quo"te\u00e9']
    client.say("subscribe", id=1, groups=[wrong[0], group, *wrong[1:]])
    answers = {a["group"]: a for a in
               (client.receive_json() for _ in range(len(wrong) + 1))}
    assert answers[group]["type"] == "subscribed"
    for name in wrong:
        assert answers[name]["reason"] == "invalid_group"
        assert answers[name]["id"] == 1
    for type in "send", "presence", "unsubscribe":
        assert client.refused(4400, "invalid_group", type, group="a b",
                              data=1)["group"] == "a b"


def test_messages_of_one_group_do_not_come_to_members_of_another(
        client, db, group):
    client.subscribe(group)
    db("SELECT usher.broadcast(%s, '1')", group + "x")
    client.alive()


def test_since_is_answered_by_recovered_false(client, group):
    since = {"seq": 7, "tag": "abc"}
    assert client.subscribe(group, since=since)["recovered"] is False
    client.say("subscribe", id=1,
               groups=[{"group": group + "x", "since": since}, group + "y"])
    answers = {a["group"]: a for a in (client.receive_json(),
                                       client.receive_json())}
    assert answers[group + "x"]["recovered"] is False
    assert "recovered" not in answers[group + "y"]


def test_subscribing_again_is_answered_and_changes_nothing(client, db, group):
    client.subscribe(group)
    client.subscribe(group)
    db("SELECT usher.broadcast(%s, '1')", group)
    client.expect("message", data=1)
    client.alive()


def test_a_subscribe_that_is_under_way_is_not_asked_twice(client, group):
    client.say("subscribe", id=1, groups=[group, group])
    answers = sorted((client.receive_json() for _ in range(2)),
                     key=lambda answer: answer["type"])
    assert answers[0]["reason"] == "subscription_pending"
    assert answers[1]["type"] == "subscribed"


def test_after_an_unsubscribe_nothing_more_comes(client, db, group):
    client.subscribe(group)
    assert client.ask("unsubscribe", group=group)["type"] == "ok"
    db("SELECT usher.broadcast(%s, '1')", group)
    client.alive()
    assert client.ask("unsubscribe", groups=[group, group + "x"])["type"] == \
        "ok"


def test_a_client_in_a_plain_group_hears_notify(client, db, number):
    name = f"plain_{number}"
    client.subscribe(name)
    db(f'NOTIFY "{name}", \'hello\'')
    client.expect("message", group=name, format="text", data="hello")


def test_raw_and_v1_members_of_one_group_get_the_same(usherd, client, db,
                                                      group, token):
    with usherd.connect(group, token) as raw:
        client.subscribe(group)
        for i in range(50):
            db("SELECT usher.broadcast(%s, %s)", group, str(i))
        assert [raw.receive() for _ in range(50)] == \
            [str(i) for i in range(50)]
        assert [client.receive_json()["data"] for _ in range(50)] == \
            list(range(50))


# ---- sending ------------------------------------------------------------

def test_what_a_client_sends_comes_to_all_and_is_answered(
        usherd, client, group, make_token):
    client.subscribe(group)
    with V1Client(usherd, make_token()) as other:
        other.subscribe(group)
        other.say("send", id=9, group=group, data={"text": "hi"})
        answers = [other.receive_json() for _ in range(2)]
        assert sorted(a["type"] for a in answers) == ["message", "ok"]
        client.expect("message", group=group, data={"text": "hi"})


@pytest.mark.parametrize("format, data", [
    ("json", [1, "a", None]), ("json", "text"), ("json", 1.5),
    ("text", "plain \u00e9 \U0001f600 text"), ("text", ""),
    ("binary", base64.b64encode(bytes(range(256))).decode()),
    ("binary", "")])
def test_data_arrives_in_the_format_in_which_it_was_sent(
        usherd, client, group, make_token, format, data):
    client.subscribe(group)
    with V1Client(usherd, make_token()) as other:
        other.subscribe(group)
        other.say("send", group=group, data=data, format=format)
        message = client.expect("message", group=group, data=data)
        assert message.get("format", "json") == format


def test_messages_of_one_client_stay_in_order(client, group):
    client.subscribe(group)
    for i in range(90):
        client.say("send", group=group, data=i)
    assert [client.expect("message")["data"] for _ in range(90)] == \
        list(range(90))


def test_who_is_not_in_a_group_cannot_send_to_it(client, group):
    client.refused(4403, "not_subscribed", "send", group=group, data=1)
    client.refused(4403, "not_subscribed", "presence", group=group)
    client.alive()


def test_who_may_not_send_is_told_so(client, db, category):
    db.set_category(category, join="authenticated", send="nobody")
    assert client.subscribe(f"{category}_1")["send"] is False
    client.refused(4403, "not_allowed", "send", group=f"{category}_1", data=1)
    client.alive()


def test_a_message_over_max_payload_is_refused_and_the_client_goes_on(
        start_usherd, token, group, sql):
    usherd = start_usherd(max_message_bytes="2MB")
    with V1Client(usherd, token) as client:
        client.subscribe(group)
        client.refused(1009, "too_large", "send", group=group,
                       data="x" * (1 << 20) + "y")
        client.alive()


def test_data_that_postgresql_cannot_hold_is_refused(client, group):
    client.subscribe(group)
    client.refused(1007, "invalid_data", "send", group=group, data="a\0b")
    client.refused(1007, "invalid_data", "send", group=group, data="a\0b",
                   format="text")
    client.send('{"type":"send","id":1,"group":"%s","data":"\\ud800"}' % group)
    client.expect("error", id=1, code=1007, reason="invalid_data")
    client.alive()


# ---- malformed ----------------------------------------------------------

@pytest.mark.parametrize("text, reason", [
    ("", "invalid_json"), ("{", "invalid_json"), ("hello", "invalid_json"),
    ('{"type":"ping"} x', "invalid_json"), ("[1]", "not_an_object"),
    ('"ping"', "not_an_object"), ("{}", "missing_type"),
    ('{"type":7}', "missing_type"), ('{"id":1}', "missing_type")])
def test_a_frame_that_makes_no_sense_is_an_error_and_4400(client, text,
                                                          reason):
    client.send(text)
    client.expect("error", code=4400, reason=reason)
    client.expect_close(4400, reason)


def test_a_binary_frame_is_an_error_and_4400(client):
    client.send(b'{"type":"ping"}')
    client.expect("error", code=4400, reason="binary_frame")
    client.expect_close(4400, "binary_frame")


def test_a_frame_that_is_too_large_closes_1009(start_usherd, token):
    usherd = start_usherd(max_message_bytes="1kB")
    with V1Client(usherd, token) as client:
        client.say("ping", pad="x" * 2000)
        client.expect_close(1009, "too_large")


@pytest.mark.parametrize("message, reason", [
    ({"type": "dance"}, "unknown_type"),
    ({"type": "subscribe"}, "missing_member"),
    ({"type": "subscribe", "group": 7}, "bad_member"),
    ({"type": "subscribe", "group": ""}, "invalid_group"),
    ({"type": "subscribe", "group": "a/b"}, "invalid_group"),
    ({"type": "subscribe", "group": "x" * 100}, "invalid_group"),
    ({"type": "subscribe", "groups": []}, "bad_member"),
    ({"type": "subscribe", "groups": "app_1"}, "bad_member"),
    ({"type": "subscribe", "groups": [7]}, "bad_member"),
    ({"type": "subscribe", "groups": [{"group": 1}]}, "bad_member"),
    ({"type": "subscribe", "group": "a", "groups": ["b"]}, "bad_member"),
    ({"type": "subscribe", "group": "a", "since": 7}, "bad_member"),
    ({"type": "subscribe", "group": "a", "since": {"seq": "7"}},
     "bad_member"),
    ({"type": "subscribe", "groups": ["a"] * 101}, "too_many_members"),
    ({"type": "unsubscribe"}, "missing_member"),
    ({"type": "unsubscribe", "groups": [{"group": "a"}]}, "bad_member"),
    ({"type": "send", "data": 1}, "missing_member"),
    ({"type": "send", "group": "a"}, "missing_member"),
    ({"type": "send", "group": "a", "data": 1, "format": "xml"},
     "bad_member"),
    ({"type": "send", "group": "a", "data": 1, "format": "text"},
     "bad_member"),
    ({"type": "send", "group": "a", "data": "?", "format": "binary"},
     "bad_member"),
    ({"type": "refresh"}, "missing_member"),
    ({"type": "refresh", "token": None}, "missing_member"),
    ({"type": "refresh", "token": 7}, "bad_member"),
    ({"type": "presence"}, "missing_member"),
])
def test_a_message_that_is_wrong_is_an_error_and_the_client_goes_on(
        client, message, reason):
    client.send_json({**message, "id": "w"})
    client.expect("error", id="w", code=4400, reason=reason)
    client.alive()


@pytest.mark.parametrize("id", [
    None, True, 1.5, 1 << 53, -(1 << 53), [], {}, "x" * 65, "\0", "\ud800"])
def test_an_id_that_is_none_is_an_error_without_one(client, id):
    client.send_json({"type": "ping", "id": id})
    assert "id" not in client.expect("error", code=4400, reason="bad_id")
    client.alive()


@pytest.mark.parametrize("id", [
    0, -1, (1 << 53) - 1, 1 - (1 << 53), "", "x" * 64, 'q"\\\n', "\u00e9" * 32])
def test_an_id_comes_back_as_it_was(client, id):
    client.send_json({"type": "ping", "id": id})
    client.expect("ok", id=id)


def test_members_that_nobody_knows_are_ignored(client, group):
    client.say("subscribe", id=1, group=group, colour="red")
    client.expect("subscribed", id=1)


# ---- refresh and expiry -------------------------------------------------

def test_a_client_is_warned_before_its_credential_expires(
        start_usherd, db, person):
    usherd = start_usherd(expiry_warning="1s")
    with V1Client(usherd, query=f"?session_key={db.issue(person, '2 s')}") \
            as client:
        start = time.monotonic()
        warning = client.expect("expiring")
        assert 0.5 < time.monotonic() - start < 1.9
        assert warning["in"] in (0, 1)
        assert warning["expires_at"] == client.welcome["expires_at"]
        client.expect_close(4419, "expired")


def test_refresh_puts_the_end_off_and_keeps_the_groups(
        start_usherd, db, person, group):
    usherd = start_usherd(expiry_warning="500ms")
    with V1Client(usherd, query=f"?session_key={db.issue(person, '2 s')}") \
            as client:
        client.subscribe(group)
        answer = client.ask("refresh", token=db.issue(person, "100 s"))
        assert answer["type"] == "ok"
        assert answer["expires_at"] > client.welcome["expires_at"]
        time.sleep(2.3)
        db("SELECT usher.broadcast(%s, '1')", group)
        client.expect("message", group=group, data=1)
        client.alive()


def test_refresh_with_a_token_makes_the_end_never(usherd, db, person):
    with V1Client(usherd, query=f"?session_key={db.issue(person)}") as client:
        client.expect("expiring") if client.messages else None
        answer = client.ask("refresh", token=person.token)
        assert answer["type"] == "ok" and answer["expires_at"] is None


def test_refresh_as_somebody_else_is_refused(client, make_token):
    client.refused(4403, "user_mismatch", "refresh", token=make_token())
    client.alive()


def test_a_refused_refresh_leaves_things_as_they_were(client, db, group):
    client.subscribe(group)
    client.refused(4401, "unknown_token", "refresh", token="1234")
    db("SELECT usher.broadcast(%s, '1')", group)
    client.expect("message", data=1)


def test_an_anonymous_client_cannot_become_somebody(usherd, token):
    with V1Client(usherd) as client:
        client.auth()
        client.refused(4403, "user_mismatch", "refresh", token=token)


def test_after_a_refresh_the_old_credential_revokes_nothing_the_new_does(
        usherd, db, person, group):
    old = db.issue_for(person)
    with V1Client(usherd, query=f"?session_key={old}") as client:
        client.subscribe(group)
        assert client.ask("refresh", token=person.token)["type"] == "ok"
        db("SELECT usher.revoke_session(%s)", old)
        client.alive()
        db("DELETE FROM authtoken_token WHERE key = %s", person.token)
        client.expect_close(4410, "revoked")


def test_a_refresh_with_fewer_rights_takes_groups_away(
        usherd, db, person, group):
    """The new key was issued for another group."""
    key = db.value("SELECT session_key FROM usher.issue_session_for"
                   "(%s, groups => %s)", person.id, [group + "x"])
    with V1Client(usherd, person.token) as client:
        client.subscribe(group)
        client.subscribe(group + "x")
        client.say("refresh", id=1, token=key)
        got = [client.receive_json() for _ in range(2)]
        assert sorted(m["type"] for m in got) == ["ok", "unsubscribed"]
        gone = next(m for m in got if m["type"] == "unsubscribed")
        assert (gone["group"], gone["code"], gone["reason"]) == \
            (group, 4403, "group_not_in_session")
        client.subscribe(group + "x")


# ---- us -----------------------------------------------------------------

def test_a_listener_that_stops_says_when_to_come_back(start_usherd, token,
                                                      group):
    usherd = start_usherd(drain_time="500ms")
    with V1Client(usherd, token) as client:
        client.subscribe(group)
        usherd.process.send_signal(signal.SIGTERM)
        messages = client.expect_close(1001, "draining")
        assert messages[-1]["reconnect"] is True
        assert messages[-1]["reconnect_after_ms"] >= 0
        client.close()
        assert usherd.process.wait() == 0


def test_no_more_than_max_inflight_wait_for_the_database(start_usherd, token,
                                                         group):
    """Whoever asks faster is read later, and loses nothing."""
    usherd = start_usherd(max_inflight=2)
    with V1Client(usherd, token) as client:
        for i in range(100):
            client.say("subscribe", id=i, group=f"{group}x{i % 50}")
        ids = sorted(client.receive_json()["id"] for _ in range(100))
        assert ids == list(range(100))
