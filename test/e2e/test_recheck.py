"""What open clients see while it is asked whether they may still see it."""
import pytest

from harness.client import Closed
from support_v1 import V1Client


@pytest.fixture(autouse=True)
def declared(db, category):
    """The category lets everybody in who is somebody, to begin with."""
    db("SELECT usher.set_category(%s, join => 'authenticated')", category)


def seen_by(client):
    """Messages until the close, and the close."""
    messages = []
    while True:
        try:
            messages.append(client.receive())
        except Closed as close:
            return messages, close


def test_new_rules_and_a_secret_in_one_transaction_show_the_excluded_nothing(
        usherd, db, category, make_user, site):
    """Only the owner stays; the rules come first, as when nobody is looking."""
    user = make_user()
    owner = site.create_token(user).key
    other = site.create_token(make_user()).key
    group = f"{category}_{user.pk}"
    for i in range(30):
        db("SELECT usher.set_category(%s, join => 'authenticated')",
             category)
        with usherd.connect(group, token=owner) as stays, \
                usherd.connect(group, token=other) as leaves:
            with db.transaction():
                db("SELECT usher.set_category(%s, join => 'owner')",
                     category)
                db("SELECT usher.broadcast_text(%s, 'secret')", group)
            messages, close = seen_by(leaves)
            assert messages == [] and close.code == 4403
            assert stays.receive() == "secret"


def test_who_may_stay_misses_nothing_and_keeps_the_order_over_new_rules(
        usherd, db, category, token):
    group = f"{category}_1"
    with usherd.connect(group, token=token) as client:
        for i in range(100):
            with db.transaction():
                db("SELECT usher.broadcast_text(%s, %s)", group, f"{i} a")
                db("SELECT usher.set_category(%s, join => 'authenticated')",
                     category)
                db("SELECT usher.broadcast_text(%s, %s)", group, f"{i} b")
        assert [client.receive() for _ in range(200)] == \
            [f"{i} {c}" for i in range(100) for c in "ab"]


def test_a_question_about_an_open_client_that_raises_closes_it_1011(
        usherd, db, category, token, sql):
    """Not knowing for good is not the same as not knowing yet."""
    with usherd.connect(f"{category}_1", token=token) as client:
        sql("ALTER TABLE authtoken_token RENAME TO hidden_token")
        try:
            db("SELECT usher.set_category(%s, join => 'authenticated')",
                 category)
            messages, close = seen_by(client)
        finally:
            sql("ALTER TABLE hidden_token RENAME TO authtoken_token")
        assert (messages, close.code) == ([], 1011)
    with usherd.connect(f"{category}_1", token=token):
        pass


def test_a_newcomer_gets_in_where_others_never_say_who_they_are(
        start_usherd, token, group):
    usherd = start_usherd(max_unauthenticated=20, auth_timeout="60s")
    holders = [V1Client(usherd) for _ in range(40)]
    try:
        with usherd.connect(group, token=token) as client:
            client.send("here")
            assert client.receive() == "here"
        with V1Client(usherd) as client:
            assert client.auth(token)["type"] == "welcome"
    finally:
        for holder in holders:
            holder.socket.close()


def test_a_newcomer_gets_in_where_others_only_hold_connections_open(
        start_usherd, token, group):
    usherd = start_usherd(max_unauthenticated=20, header_timeout="60s")
    holders = [usherd.raw() for _ in range(40)]
    try:
        for holder in holders[:30]:
            holder.send(b"GET /ws/app_1 HT")
        with usherd.connect(group, token=token) as client:
            client.send("here")
            assert client.receive() == "here"
        assert "took too long while others waited" in usherd.log()
        assert usherd.log().count("max_unauthenticated") == 1
    finally:
        for holder in holders:
            holder.close()
