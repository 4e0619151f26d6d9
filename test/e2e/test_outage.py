"""PostgreSQL goes away in every way it can, and comes back.

These take a cluster of their own.  It commits synchronously: a crash must not
take back what the tests did just before.
"""
import time

import pytest
from harness import Cluster, Site, Usherd, eventually
from harness.client import Refused
from support_groups import Proxy, Sql
from support_v1 import V1Client

# The canary's bound is three seconds at least, so that is what finding a
# silent end takes.
SETTINGS = {"canary_interval": "500ms", "auth_timeout": "1500ms"}


@pytest.fixture(scope="module")
def own_cluster():
    with Cluster(settings={"synchronous_commit": "on"}) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def own_site(own_cluster):
    site = Site(own_cluster)
    yield site.create()
    site.stop()


@pytest.fixture
def up(own_cluster):
    """Whatever a test does to the cluster, the next one finds it running."""
    yield own_cluster
    if own_cluster.process is None:
        own_cluster.start()


@pytest.fixture
def start(up, own_site):
    """start(auth_timeout="5s"): a listener on the cluster of this file."""
    started = []

    def start(**settings):
        database = settings.pop("database", own_site.conninfo())
        started.append(Usherd(database, **{**SETTINGS, **settings}))
        return started[-1].start()

    yield start
    for usherd in reversed(started):
        usherd.stop()
        usherd.remove()


@pytest.fixture
def people(up, own_site):
    db = Sql(own_site)
    people = db.add_people(3)
    db.close()
    return people


@pytest.fixture
def tell(own_site):
    return lambda group, text: own_site.psql(
        f"SELECT usher.broadcast_text('{group}', '{text}')")


def wait_unready(usherd):
    eventually(lambda: usherd.get("/readyz").status == 503,
               what="/readyz says no")


def wait_ready(usherd):
    eventually(usherd.is_ready, 30, what="/readyz says yes again")


OUTAGES = {
    "stopped": lambda cluster: cluster.stop("fast"),
    "stopped_at_once": lambda cluster: cluster.stop("immediate"),
    "killed_9": lambda cluster: cluster.kill9(),
}


@pytest.mark.parametrize("end", OUTAGES.values(), ids=OUTAGES)
def test_clients_stay_while_postgresql_is_away_and_hear_it_again(
        start, up, own_site, people, tell, group, number, end):
    usherd = start()
    plain = f"plain_{number}"
    with usherd.connect(group, people[0].token) as client, \
            usherd.connect(plain, people[1].token) as notified:
        tell(group, "before")
        assert client.receive() == "before"
        end(up)
        wait_unready(usherd)
        assert usherd.get("/healthz").status == 200
        client.ping()
        up.start()
        wait_ready(usherd)
        tell(group, "after")
        assert client.receive() == "after"
        own_site.psql(f"NOTIFY \"{plain}\", 'after'")
        assert notified.receive() == "after"
        client.send("and from me")
        assert client.receive() == "and from me"
        notified.ping()


def test_a_restart_while_nobody_looks_loses_nobody(start, up, people, tell,
                                                   group):
    usherd = start()
    with usherd.connect(group, people[0].token) as client:
        for i in range(3):
            up.restart()
        wait_ready(usherd)
        tell(group, "after")
        assert client.receive() == "after"


def test_new_clients_get_503_or_1013_while_postgresql_is_away(start, up,
                                                              people, group):
    usherd = start()
    up.stop()
    wait_unready(usherd)
    with pytest.raises(Refused) as refused:
        usherd.connect(group, people[0].token)
    assert refused.value.status == 503
    assert refused.value.json()["reason"] == "database_unavailable"
    assert "Retry-After" in refused.value.headers
    with usherd.connect(group, people[0].token,
                        origin="http://site") as browser:
        assert browser.receive_json()["reason"] == "database_unavailable"
        assert browser.wait_close().code == 1013
    # A client without credentials is no exception, nor is a wrong one.
    with pytest.raises(Refused) as refused:
        usherd.connect("public_1")
    assert refused.value.status == 503


def test_a_client_who_waits_is_admitted_when_postgresql_returns_in_time(
        start, up, people, tell, group):
    usherd = start(auth_timeout="30s")
    up.stop()
    wait_unready(usherd)
    waiting = []
    for person in people:
        waiting.append(usherd.raw(deadline_s=30))
        waiting[-1].request(f"/ws/{group}",
                            {"Authorization": f"Token {person.token}"})
    up.start()
    for raw in waiting:
        assert raw.response().status == 101
    tell(group, "they made it")
    for raw in waiting:
        assert raw.read_message() == b"they made it"
        raw.close()


def test_a_message_sent_while_postgresql_is_away_closes_its_sender_1013(
        start, up, people, tell, group):
    usherd = start()
    with usherd.connect(group, people[0].token) as sender, \
            usherd.connect(group, people[1].token) as reader:
        up.stop()
        wait_unready(usherd)
        sender.send("is anybody there?")
        closed = sender.wait_close()
        assert (closed.code, closed.reason) == (1013, "database_unavailable")
        up.start()
        wait_ready(usherd)
        tell(group, "yes")
        # What he sent was given up: it must not arrive after all.
        assert reader.receive() == "yes"


def test_a_listener_that_is_started_before_postgresql_waits_for_it(
        up, own_site, people, group):
    up.stop()
    usherd = Usherd(own_site.conninfo(), **SETTINGS)
    try:
        usherd.start(wait=False)

        def is_alive():
            try:
                return usherd.get("/healthz").status == 200
            except OSError:
                return False
        eventually(is_alive)
        assert usherd.get("/readyz").status == 503
        up.start()
        wait_ready(usherd)
        with usherd.connect(group, people[0].token) as client:
            client.ping()
    finally:
        usherd.stop()
        usherd.remove()


BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename = 'usherd'"


def test_each_connection_that_is_terminated_is_made_again(
        start, own_site, people, tell, group):
    usherd = start(call_links="2")
    backends = own_site.psql(BACKENDS).split()
    assert len(backends) == 3   # one that listens, two that ask
    with usherd.connect(group, people[0].token) as client:
        for pid in backends:
            own_site.psql(f"SELECT pg_terminate_backend({pid})")
            eventually(lambda: len(own_site.psql(BACKENDS).split()) == 3
                       and pid not in own_site.psql(BACKENDS).split(),
                       what="three connections again")
            wait_ready(usherd)
            tell(group, f"without {pid}")
            assert client.receive() == f"without {pid}"
            client.send(f"he says {pid}")
            assert client.receive() == f"he says {pid}"
            with usherd.connect(group, people[1].token) as newcomer:
                newcomer.ping()


def test_all_connections_terminated_at_once_lose_nobody(start, own_site,
                                                        people, tell, group):
    usherd = start()
    with usherd.connect(group, people[0].token) as client:
        for _ in range(3):
            own_site.psql("SELECT pg_terminate_backend(pid) FROM"
                          " pg_stat_activity WHERE usename = 'usherd'")
            wait_unready(usherd)
            wait_ready(usherd)
        tell(group, "still here")
        assert client.receive() == "still here"


# ---- the network between usherd and PostgreSQL --------------------------

@pytest.fixture
def proxy(up):
    with Proxy(up.port) as proxy:
        yield proxy


@pytest.fixture
def through(start, proxy, own_site):
    """A listener that reaches PostgreSQL through the proxy."""
    return start(database=f"host=127.0.0.1 port={proxy.port}"
                          f" dbname={own_site.database} user=usherd")


@pytest.mark.parametrize("fail", ["cut", "blackhole"])
def test_what_was_revoked_while_the_connection_was_cut_is_closed_afterwards(
        through, proxy, own_site, people, tell, group, fail):
    usherd = through
    db = Sql(own_site)
    keys = [db.issue(person) for person in people]
    with usherd.connect(group, people[0].token) as stays, \
            usherd.connect(group, people[1].token) as by_token, \
            usherd.connect(group, session_key=keys[1]) as by_key, \
            usherd.connect(group, people[2].token) as deactivated, \
            usherd.connect("public_1") as anonymous:
        getattr(proxy, fail)()
        db("DELETE FROM authtoken_token WHERE key = %s", people[1].token)
        db("UPDATE auth_user SET is_active = false WHERE id = %s",
           people[2].id)
        tell(group, "nobody hears this")
        wait_unready(usherd)
        if fail == "blackhole":
            usherd.wait_log("listen link: .*nothing heard for")
        for client in (stays, by_token, by_key, deactivated, anonymous):
            client.ping()   # unknown is not revoked
        proxy.restore()
        for client in (by_token, by_key, deactivated):
            assert client.wait_close(30).code == 4410
        wait_ready(usherd)
        tell(group, "but this")
        assert stays.receive() == "but this"
        anonymous.ping()
    db.close()


def test_a_new_client_behind_a_silent_network_is_told_within_auth_timeout(
        through, proxy, people, group):
    proxy.blackhole()
    started = time.monotonic()
    with pytest.raises(Refused) as refused:
        through.connect(group, people[0].token, deadline_s=30)
    assert refused.value.status == 503
    assert time.monotonic() - started >= 1.4     # it was given the time
    proxy.restore()
    wait_ready(through)
    with through.connect(group, people[0].token) as client:
        client.ping()


LOGGED_IN = """
from django.contrib.auth import get_user_model, login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
for _ in range({count}):
    request = HttpRequest()
    request.session = SessionStore()
    login(request, get_user_model().objects.get(pk={user}),
          "django.contrib.auth.backends.ModelBackend")
    request.session.save()
    print(request.session.session_key)
"""


def add_sessions(site, person, count):
    """Keys of sessions that Django made; this process's ORM has another
    site.  From 5.2 on its shell begins by telling what it has imported."""
    return site.manage("shell", "-c", LOGGED_IN.format(
        count=count, user=person.id)).split()[-count:]


def expire_in(db, key, after):
    db("UPDATE django_session SET expire_date = now() + %s::interval"
       " WHERE session_key = %s", after, key)


@pytest.mark.parametrize("fail", ["cut", "blackhole"])
def test_sessions_that_ended_while_the_connection_was_cut_are_closed(
        through, proxy, own_site, people, tell, group, fail):
    """What was prolonged stays.  Until it is known which is which, all do."""
    db = Sql(own_site)
    keys = add_sessions(own_site, people[0], 3)
    for key in keys[:2]:
        expire_in(db, key, "3 s")
    with through.connect_by_cookie(group, keys[0]) as prolonged, \
            through.connect_by_cookie(group, keys[1]) as ended, \
            through.connect_by_cookie(group, keys[2]) as logged_out:
        getattr(proxy, fail)()
        expire_in(db, keys[0], "1 day")
        db("DELETE FROM django_session WHERE session_key = %s", keys[2])
        wait_unready(through)
        time.sleep(3)
        for client in (prolonged, ended, logged_out):
            client.ping()
        proxy.restore()
        assert ended.wait_close(30) == (4419, "expired")
        assert logged_out.wait_close(30) == (4410, "revoked")
        wait_ready(through)
        tell(group, "after")
        assert prolonged.receive() == "after"
    db.close()


def test_who_sends_after_his_session_ended_is_closed_though_nobody_can_say(
        through, proxy, own_site, people, group):
    """It may have been prolonged; but what he sends would be taken later."""
    db = Sql(own_site)
    key, = add_sessions(own_site, people[0], 1)
    expire_in(db, key, "3 s")
    with through.connect_by_cookie(group, key) as client:
        proxy.cut()
        expire_in(db, key, "1 day")
        wait_unready(through)
        time.sleep(3.3)
        client.ping()
        client.send("too late")
        assert client.wait_close() == (4419, "expired")
    proxy.restore()
    wait_ready(through)
    db.close()


def test_new_clients_with_cookies_are_told_that_the_database_is_away(
        through, proxy, own_site, people, group):
    key, = add_sessions(own_site, people[0], 1)
    proxy.cut()
    wait_unready(through)
    with through.connect_by_cookie(group, key) as client:
        assert client.wait_close(5) == (1013, "database_unavailable")
    proxy.restore()
    wait_ready(through)
    with through.connect_by_cookie(group, key) as client:
        client.ping()


def test_a_category_closed_while_the_connection_was_cut_is_noticed(
        through, proxy, own_site, people, number):
    db = Sql(own_site)
    db.set_category(f"c{number}", join="authenticated")
    with through.connect(f"c{number}_1", people[0].token) as client:
        proxy.cut()
        db.set_category(f"c{number}", join="nobody")
        wait_unready(through)
        client.ping()
        proxy.restore()
        assert client.wait_close(30).code == 4403
    db.close()


def test_thousands_are_checked_again_after_a_gap(through, proxy, own_site,
                                                 tell, group):
    usherd = through
    db = Sql(own_site)
    people = db.add_people(600)
    clients = [usherd.connect(group, p.token) for p in people]
    try:
        proxy.cut()
        gone = people[::3]
        db("DELETE FROM authtoken_token WHERE key = ANY (%s)",
           [p.token for p in gone])
        proxy.restore()
        wait_ready(usherd)
        for person, client in zip(people, clients):
            if person in gone:
                assert client.wait_close(30).code == 4410
        tell(group, "who is left")
        for person, client in zip(people, clients):
            if person not in gone:
                assert client.receive() == "who is left"
    finally:
        for client in clients:
            client.abort()
        db.close()


def test_a_v1_client_is_told_to_try_again_and_keeps_its_groups(
        start, up, people):
    """What needs the database is refused, and what does not is answered."""
    usherd = start()
    with V1Client(usherd, people[0].token) as client:
        client.subscribe("app_1")
        up.stop()
        answer = client.refused(1013, "database_unavailable", "subscribe",
                                group="app_2")
        assert answer["retry_after_ms"] > 0
        client.alive()
        up.start()
        eventually(lambda: client.ask("subscribe", group="app_2")["type"]
                   == "subscribed", 10)
