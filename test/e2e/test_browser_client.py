"""usher.js in a real Chromium: what a site's page lives through.

Each page gets its session keys from POST /session with a token, as a site
does whose login gave it one.
"""
import time

import pytest
from harness import Cluster, Site, Usherd, free_port
from support_browser import InPage, JsError, asleep, chromium
from support_groups import Sql

# Shorter than anybody sets them, so that a test sees them pass.
KEY_LIVES_S = 3
SETTINGS = {"page": "on", "expiry_warning": "1s", "ping_interval": "500ms",
            "ping_timeout": "1s", "canary_interval": "500ms"}
QUICK = {"backoff": {"min": 50, "max": 500}}


@pytest.fixture(scope="module")
def driver():
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def own_cluster():
    """These tests end PostgreSQL, and what was written must survive it."""
    with Cluster(settings={"synchronous_commit": "on"}) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def own_site(own_cluster):
    site = Site(own_cluster, usherd_port=free_port())
    yield site.create()
    site.stop()


@pytest.fixture(scope="module")
def listener(own_site):
    with Usherd(own_site.conninfo(), port=own_site.usherd_port,
                **SETTINGS) as usherd:
        yield usherd


@pytest.fixture
def somebody(own_site):
    db = Sql(own_site)
    person = db.add_person()
    db.close()
    return person


@pytest.fixture
def tell(own_site):
    return lambda group, data: own_site.psql(
        f"SELECT usher.broadcast('{group}', '\"{data}\"')")


@pytest.fixture
def page(driver, listener, somebody):
    """page(ttl=3): usher.js on a page of the listener, logged in."""
    pages = []

    def open_page(ttl=None, **how):
        driver.get(listener.origin + "/")
        pages.append(InPage(
            driver, f"ws://127.0.0.1:{listener.port}/ws", "/usher.js",
            session="/session", token=somebody.token,
            options={"ttl": ttl} if ttl else {}, **{**QUICK, **how}))
        return pages[-1]

    yield open_page
    for page in pages:
        page.run("usher.close(); await usher.closed")


def test_a_page_subscribes_sends_and_hears_every_format(page, tell, group):
    page = page()
    assert page.run("return hear(arg[0])", group) == group
    assert page.state == "open"
    tell(group, "from SQL")
    page.wait("seen.includes('from SQL')")

    page.run("await usher.send(arg[0], { n: [1, null, 'ü'] })", group)
    page.run("await usher.send(arg[0], 'text', { format: 'text' })", group)
    page.run("await usher.send(arg[0], Uint8Array.of(0, 255),"
             " { format: 'binary' })", group)
    page.wait("seen.length === 4")
    assert page.seen == ["from SQL", {"n": [1, None, "ü"]}, "text",
                         {"bytes": [0, 255]}]


def test_the_credential_may_go_in_the_first_message(page, tell, group):
    page = page(carrier="message")
    page.run("return hear(arg[0])", group)
    tell(group, "heard")
    page.wait("seen.includes('heard')")


def test_a_for_loop_reads_the_messages_of_a_group(page, tell, group):
    page = page()
    page.run("""
        globalThis.read = [];
        const sub = usher.subscribe(arg[0]);
        await sub.ready;
        globalThis.reading = (async () => {
            for await (const message of sub) {
                read.push(message.data);
                if (read.length === 2)
                    await sub.unsubscribe();
            }
            return "ended";
        })();""", group)
    tell(group, "one")
    tell(group, "two")
    assert page.run("return [await reading, ...read]") == [
        "ended", "one", "two"]


def test_a_group_one_may_not_join_is_a_typed_error(page):
    page = page()
    with pytest.raises(JsError) as error:
        page.run("await hear('nosuch_1')")
    assert (error.value.code, error.value.reason) == (4403, "unknown_group")
    assert page.state == "open"


def test_refreshing_keeps_one_connection_across_several_expiries(
        page, tell, group):
    page = page(ttl=KEY_LIVES_S)
    page.run("return hear(arg[0])", group)
    begun = time.monotonic()
    sent = []
    while time.monotonic() - begun < 2.5 * KEY_LIVES_S:
        sent.append(f"at {len(sent)}")
        tell(group, sent[-1])
        time.sleep(0.2)
    page.wait(f"seen.length === {len(sent)}")
    assert page.seen == sent
    assert len(page.events("welcome")) == 1
    assert page.events("close") == []
    assert len(page.events("expiring")) >= 2
    assert len(page.asked) >= 3


def hears_again(page, tell, group, what):
    """The group is entered again at some moment after open."""
    page.wait("usher.state === 'open' && events.some(([n]) => n === 'resume')",
              30)
    tell(group, what)
    page.wait(f"seen.includes('{what}')")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_page_outlives_its_listener(page, listener, tell, group, end):
    page = page()
    page.run("return hear(arg[0])", group)
    page.run("events.length = 0")
    getattr(listener, end)()
    try:
        page.wait("usher.state !== 'open'")
        time.sleep(1)       # so that it fails to connect at least once
    finally:
        listener.start()
    hears_again(page, tell, group, "after the restart")
    assert page.events("resume")[0]["group"] == group


@pytest.mark.parametrize("end", [lambda c: c.stop("fast"),
                                 lambda c: c.kill9()],
                         ids=["stopped", "killed_9"])
def test_a_page_outlives_postgresql(page, own_cluster, listener, tell, group,
                                    end):
    page = page()
    page.run("return hear(arg[0])", group)
    end(own_cluster)
    try:
        with pytest.raises(JsError) as error:
            page.run("await usher.send(arg[0], 1)", group)
        assert error.value.code in (1011, 1013)
    finally:
        own_cluster.start()
        listener.process.wait_ready(listener.is_ready, 30)
    # Whether the connection stayed or was made anew is not the page's worry.
    page.wait("usher.state === 'open'", 30)
    heard = False
    for n in range(20):
        tell(group, f"again {n}")
        time.sleep(0.25)
        heard = heard or page.run("return seen.length > 0")
    assert heard
    page.run("await usher.send(arg[0], 'sent again')", group)
    page.wait("seen.includes('sent again')")


def test_a_page_whose_token_is_deleted_stops_and_says_so(
        page, own_site, somebody, group):
    page = page()
    page.run("return hear(arg[0])", group)
    own_site.psql("DELETE FROM authtoken_token"
                  f" WHERE key = '{somebody.token}'")
    page.wait("events.some(([name]) => name === 'closed')")
    assert page.state == "closed"
    (error,) = page.events("closed")
    assert (error["code"], error["reason"]) == (4410, "revoked")
    asked = len(page.asked)
    time.sleep(1)
    assert len(page.asked) == asked     # and does not try again
    assert page.state == "closed"


def test_a_kick_ends_one_group_and_the_connection_goes_on(
        page, own_site, somebody, group):
    page = page()
    page.run("return hear(arg[0])", group)
    own_site.psql(f"SELECT usher.kick('{somebody.id}', '{group}')")
    page.wait("events.some(([name]) => name === 'unsubscribed')")
    (error,) = page.events("unsubscribed")
    assert (error["code"], error["reason"]) == (4410, "kicked")
    assert page.state == "open"


WATCH_CLOCK = """
    let last = Date.now();
    globalThis.longestGap = 0;
    setInterval(() => {
        longestGap = Math.max(longestGap, Date.now() - last);
        last = Date.now();
    }, 100);"""


def test_a_page_that_slept_past_its_key_wakes_with_a_fresh_one(
        page, driver, tell, group):
    page = page(ttl=KEY_LIVES_S)
    page.run("return hear(arg[0])", group)
    page.run("events.length = 0; asked.length = 0;" + WATCH_CLOCK)
    # The listener sees neither pong nor refresh, and ends the connection.
    with asleep(driver):
        time.sleep(KEY_LIVES_S + 3)
        tell(group, "said during the night")
    hears_again(page, tell, group, "good morning")
    assert page.run("return longestGap") > 1000 * KEY_LIVES_S
    assert page.asked
    assert page.events("resume")[0]["group"] == group


def test_a_frozen_page_hears_again_when_it_is_shown(page, driver, tell,
                                                    group):
    """What Chromium does to tabs in the background: timers stand still."""
    page = page(ttl=KEY_LIVES_S)
    page.run("return hear(arg[0])", group)
    page.run("events.length = 0; asked.length = 0;" + WATCH_CLOCK)
    driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "frozen"})
    time.sleep(KEY_LIVES_S + 3)
    driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "active"})
    page.wait("usher.state === 'open'", 30)
    assert page.run("return longestGap") > 1000 * KEY_LIVES_S
    page.wait("asked.length > 0", 30)
    for n in range(10):
        tell(group, f"shown {n}")
        time.sleep(0.2)
    page.wait("seen.length > 0")


def test_a_page_of_another_origin_imports_the_module_and_connects(
        driver, site, start_usherd, user, token, sql, group):
    usherd = start_usherd(page="on", allowed_origins=site.url)
    driver.get(site.url + "/")
    page = InPage(driver, f"ws://127.0.0.1:{usherd.port}/ws",
                  usherd.origin + "/usher.js",
                  session=usherd.origin + "/session", token=token)
    page.run("return hear(arg[0])", group)
    sql(f"SELECT usher.broadcast('{group}', '\"across\"')")
    page.wait("seen.includes('across')")
    page.run("usher.close(); await usher.closed")
