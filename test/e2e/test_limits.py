"""How much a client, a user and an address may send and be in."""
import time

import pytest

from support_v1 import V1Client


def flood(client, group, count, **members):
    """Send that many; returns (how many ok, the errors)."""
    for i in range(count):
        client.say("send", id=i, group=group, data=i, **members)
    got = {"message": [], "ok": [], "error": []}
    while len(got["ok"]) + len(got["error"]) < count or \
            len(got["message"]) < len(got["ok"]):
        message = client.receive_json()
        got[message["type"]].append(message)
    return len(got["ok"]), got["error"]


def test_a_client_that_sends_too_fast_is_told_when_it_may_again(
        start_usherd, token, group):
    usherd = start_usherd(message_rate=2, message_burst=10)
    with V1Client(usherd, token) as client:
        client.subscribe(group)
        ok, errors = flood(client, group, 20)
        assert 8 <= ok <= 11
        for error in errors:
            assert (error["code"], error["reason"]) == (4429, "message_rate")
        time.sleep(errors[-1]["retry_after_ms"] / 1000)
        assert client.ask("ping")["type"] == "ok"


def test_a_client_that_sends_too_many_bytes_is_told_when_it_may_again(
        start_usherd, token, group):
    usherd = start_usherd(byte_rate=10000, max_message_bytes="10kB")
    with V1Client(usherd, token) as client:
        client.subscribe(group)
        for i in range(2):
            client.say("send", id=i, group=group, data="x" * 9000)
            assert {client.receive_json()["type"] for _ in range(2)} == \
                {"ok", "message"}
        error = client.refused(4429, "byte_rate", "send", group=group,
                               data="x" * 9000)
        time.sleep(error["retry_after_ms"] / 1000)
        # not a byte longer, or it would have to wait for that byte, too
        client.say("send", id=3, group=group, data="x" * 9000)
        assert {client.receive_json()["type"] for _ in range(2)} == \
            {"ok", "message"}


@pytest.mark.parametrize("whose", ["user", "address"])
def test_a_rate_is_shared_by_all_connections_of(whose, start_usherd, db,
                                                group):
    usherd = start_usherd(**{f"message_rate_per_{whose}": 1,
                             "message_rate": 0, "message_burst": 10})
    people = db.add_people(2)
    if whose == "user":
        people[1] = people[0]
    with V1Client(usherd, people[0].token) as one, \
            V1Client(usherd, people[1].token) as two:
        one.subscribe(group)
        ok, errors = flood(one, group, 12)
        assert 8 <= ok <= 10 and errors[0]["reason"] == "message_rate"
        two.refused(4429, "message_rate", "ping")


def test_users_have_rates_of_their_own(start_usherd, db, group):
    usherd = start_usherd(message_rate_per_user=1, message_burst=5)
    alice, bob = db.add_people(2)
    with V1Client(usherd, alice.token) as one, \
            V1Client(usherd, bob.token) as two:
        one.subscribe(group)
        assert flood(one, group, 8)[1]
        two.alive()


def test_coming_back_does_not_fill_a_users_bucket(start_usherd, person, group):
    usherd = start_usherd(message_rate_per_user=1, message_burst=5)
    with V1Client(usherd, person.token) as client:
        client.subscribe(group)
        assert flood(client, group, 8)[1]
    with V1Client(usherd, person.token) as client:
        client.refused(4429, "message_rate", "ping")


def test_a_raw_client_over_the_byte_rate_is_closed(start_usherd, token, group):
    usherd = start_usherd(byte_rate=1000, max_message_bytes="1kB")
    with usherd.connect(group, token) as client:
        for _ in range(5):
            client.send("x" * 900)
        close = client.wait_close()
        assert (close.code, close.reason) == (4429, "byte_rate")


def subscribe_all(client, names):
    client.say("subscribe", id=1, groups=names)
    answers = [client.receive_json() for _ in names]
    return [a["type"] if a["type"] == "subscribed" else a["reason"]
            for a in sorted(answers, key=lambda a: names.index(a["group"]))]


def test_one_subscribe_is_refused_from_the_group_on_that_is_too_many(
        start_usherd, token, group):
    usherd = start_usherd(max_groups=3)
    names = [f"{group}x{i}" for i in range(5)]
    with V1Client(usherd, token) as client:
        assert subscribe_all(client, names) == \
            ["subscribed"] * 3 + ["too_many_groups"] * 2
        error = client.refused(4429, "too_many_groups", "subscribe",
                               group=names[4])
        assert error["retry_after_ms"] > 0
        assert client.ask("unsubscribe", group=names[0])["type"] == "ok"
        client.subscribe(names[4])


def test_a_group_that_is_refused_takes_no_place(start_usherd, token, group):
    usherd = start_usherd(max_groups=1)
    with V1Client(usherd, token) as client:
        for _ in range(3):
            client.refused(4403, "unknown_group", "subscribe",
                           group="nowhere_1")
        client.subscribe(group)


@pytest.mark.parametrize("whose", ["user", "address"])
def test_groups_are_counted_over_all_connections_of(whose, start_usherd, db,
                                                    group):
    usherd = start_usherd(**{f"max_groups_per_{whose}": 3})
    people = db.add_people(2)
    if whose == "user":
        people[1] = people[0]
    with V1Client(usherd, people[0].token) as one:
        with V1Client(usherd, people[1].token) as two:
            one.subscribe(group)
            assert subscribe_all(two, [f"{group}x{i}" for i in range(3)]) == \
                ["subscribed"] * 2 + ["too_many_groups"]
            one.refused(4429, "too_many_groups", "subscribe",
                        group=group + "y")
            # a raw connection has a group, too
            with usherd.connect(group, people[1].token, origin=usherd.origin) \
                    as raw:
                raw.receive()
                assert raw.wait_close().code == 4429
        one.alive()
        one.subscribe(group + "y")
        one.subscribe(group + "z")
