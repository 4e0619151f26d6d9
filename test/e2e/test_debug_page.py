"""The listener's own page in a real browser."""
import base64
import json
import re

import pytest
from harness import REPO, Usherd, eventually
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait
from support_browser import Page, chromium


@pytest.fixture(scope="module")
def driver():
    with chromium() as driver:
        yield driver


class DebugPage(Page):
    def choose(self, name, value):
        Select(self.element(name)).select_by_value(value)

    def click(self, name):
        """A click that need not scroll: lists grow while tests run."""
        element = self.element(name)
        WebDriverWait(self.driver, 10, 0.05).until(
            lambda _: element.is_enabled(), f"#{name} is enabled")
        self.driver.execute_script("arguments[0].click()", element)

    def connect(self, token=None, carrier="protocol"):
        self.choose("carrier", carrier)
        if token is not None:
            self.write("token", token)
        self.click("connect")

    def connected(self, *arguments, **named):
        self.connect(*arguments, **named)
        self.wait("state", "Connected")
        return self

    def subscribe(self, *groups):
        self.write("group", " ".join(groups))
        self.click("subscribe")
        for group in groups:
            self.wait(f"group-{group}", "subscribed, ")

    def send(self, group, format, data):
        self.choose("send-group", group)
        self.choose("send-format", format)
        self.write("send-data", data)
        self.click("send")

    def button_of(self, group, name):
        self.driver.execute_script(
            "arguments[0].click()", self.element(f"group-{group}")
            .find_element(By.CLASS_NAME, name))


@pytest.fixture(scope="module")
def listener(module_usherd):
    return module_usherd(page="on")


@pytest.fixture(scope="module")
def module_usherd(site):
    """Like start_usherd, for all tests of this file."""
    started = []

    def start(**settings):
        started.append(Usherd(site.conninfo(), **settings))
        return started[-1].start()

    yield start
    for usherd in started:
        usherd.stop()
        usherd.remove()


@pytest.fixture
def page(driver, listener):
    page = DebugPage(driver, listener.origin + "/")
    driver.refresh()        # a new hash alone would not load it again
    page.errors()           # forget those of the test before
    yield page
    driver.get("about:blank")


def test_without_the_setting_there_is_no_page(start_usherd):
    assert start_usherd().get("/").status == 404
    assert start_usherd(page="on").get("/").status == 200


def test_the_page_knows_its_listener_and_a_link_may_name_a_group(
        page, driver, listener):
    assert page.element("url").get_attribute("value") == \
        f"ws://127.0.0.1:{listener.port}/ws"
    driver.get(listener.origin + "/#group=app_1")
    driver.refresh()
    assert page.element("group").get_attribute("value") == "app_1"


@pytest.mark.parametrize("carrier", ["protocol", "message"])
def test_a_token_connects_and_groups_show_what_is_broadcast(
        page, user, token, sql, number, carrier):
    one, two = f"app_{number}", f"app_{number}0"
    page.connected(token, carrier)
    page.wait("who", f"{user.username} ({user.pk})")
    page.wait("welcome", "token")
    page.subscribe(one, two)
    sql(f"SELECT usher.broadcast('{one}', '{{\"a\": [1, 2]}}')")
    sql(f"SELECT usher.broadcast_text('{two}', '<b onclick=x>text</b>')")
    sql(f"SELECT usher.broadcast_binary('{two}', '\\x00ff41')")
    page.wait("messages", '"a": [')
    page.wait("messages", "<b onclick=x>text</b>")
    page.wait("messages", "binary, 3 bytes")
    page.wait("messages", "00 ff 41")
    page.wait("messages-count", "3")
    page.screenshot(f"debug-{carrier}")
    assert page.errors() == []


def test_what_is_sent_is_seen_by_all(page, listener, token, group):
    page.connected(token).subscribe(group)
    with listener.connect(group, token) as other:
        page.send(group, "json", '{"n": 1}')
        assert other.receive_json() == {"n": 1}
        page.wait("send-result", "Committed")
        page.send(group, "text", "hello")
        assert other.receive() == "hello"
        page.send(group, "binary", "de ad be ef")
        assert other.receive() == bytes.fromhex("deadbeef")
    page.send(group, "json", "{not json")
    page.wait("error-reason", "SyntaxError")


def test_every_frame_is_listed_and_no_credential_among_them(
        page, token, group):
    page.connected(token, "message").subscribe(group)
    page.click("refresh")
    page.wait("frames", '"type":"refresh"')
    frames = page.text("frames")
    assert re.search(r"→ .*\"auth\"", frames)
    assert re.search(r"← .*\"welcome\"", frames)
    assert re.search(r"→ .*\"subscribe\"", frames)
    assert re.search(r"← .*\"subscribed\"", frames)
    assert token not in frames
    page.click("disconnect")
    page.wait("frames", "· closed: ")
    page.wait("state", "Closed")
    assert not page.element("closed").is_displayed()    # nothing went wrong
    page.click("frames-clear")
    page.connected(token, "protocol")
    page.wait("frames", "offering usher.v1, usher.auth.")
    carried = base64.urlsafe_b64encode(token.encode()).decode()
    assert carried.rstrip("=") not in page.text("frames")


def test_an_unknown_token_is_explained_and_not_tried_again(page):
    page.connect("0123456789" * 4)
    page.wait("close-code", "4401")
    page.wait("close-reason", "unknown_token")
    page.wait("close-meaning", "There is no such token")
    page.wait("close-advice", "Get another credential")
    page.wait("state", "Closed")
    # Another one may be tried at once.
    assert page.element("connect").is_enabled()


def test_a_refused_group_and_a_refused_send_are_explained(
        page, token, group):
    page.connected(token)
    page.write("group", "nosuch_1")
    page.click("subscribe")
    page.wait("group-nosuch_1", "refused: 4403 unknown_group")
    page.wait("error-reason", "unknown_group")
    page.wait("error-meaning", "no category of this name")
    page.click("dismiss")
    assert not page.element("problem").is_displayed()
    page.subscribe(group)
    page.wait("state", "Connected")


def test_a_deleted_token_closes_with_words(page, sql, token, group):
    page.connected(token).subscribe(group)
    sql(f"DELETE FROM authtoken_token WHERE key = '{token}'")
    page.wait("close-code", "4410")
    page.wait("close-meaning", "token deleted")
    page.wait("close-advice", "Log in again")
    page.wait("state", "Closed")


def test_a_kick_and_an_unsubscribe_leave_the_connection(
        page, sql, user, token, group, number):
    other = f"app_{number}0"
    page.connected(token).subscribe(group, other)
    sql(f"SELECT usher.kick('{user.pk}', '{group}')")
    page.wait(f"group-{group}", "4410 kicked")
    page.button_of(other, "unsubscribe")
    eventually(lambda: not page.driver.find_elements(
        By.ID, f"group-{other}"), what="the group's card goes")
    page.wait("frames", '"unsubscribe"')
    assert page.text("state") == "Connected"


def test_a_credential_is_replaced_but_not_by_somebody_elses(
        page, site, sql, user, token, make_token):
    page.connected(token)
    key = sql("SELECT session_key FROM"
              f" usher.issue_session_for('{user.pk}')")
    page.write("token", key)
    page.click("refresh")
    page.wait("expiring", "was replaced")
    page.write("token", make_token())
    page.click("refresh")
    page.wait("error-reason", "user_mismatch")
    page.wait("error-meaning", "of another user")
    assert page.text("state") == "Connected"


def test_a_credential_is_exchanged_for_a_key_that_connects(
        page, user, token, group):
    page.write("token", token)
    page.write("exchange-ttl", "30")
    page.write("exchange-groups", group)
    page.click("exchange")
    page.wait("exchange-status", "HTTP 200")
    answer = json.loads(page.text("exchange-result"))
    assert answer["session_key"]
    page.click("use-key")
    page.wait("token-looks", "session key")
    page.click("connect")
    page.wait("state", "Connected")
    page.wait("who", user.username)
    page.subscribe(group)
    page.write("group", "app_1")
    page.click("subscribe")
    page.wait("group-app_1", "4403 group_not_in_session")


def test_an_exchange_that_is_refused_says_why(page):
    page.write("token", "0123456789" * 4)
    page.click("exchange")
    page.wait("exchange-status", "HTTP 401")
    page.wait("exchange-result", "unknown_token")


def test_nobody_enters_groups_for_anyone(page, db, category):
    db("SELECT usher.set_category(%s, \"join\" => 'anyone')", category)
    page.connected(carrier="anonymous")
    page.wait("who", "anonymous")
    page.subscribe(f"{category}_1")
    db("SELECT usher.broadcast_text(%s, 'to all')", f"{category}_1")
    page.wait("messages", "to all")


def test_presence_shows_who_comes_and_goes(
        driver, module_usherd, db, user, token, site, make_user, category):
    usherd = module_usherd(page="on", presence_delay="100ms",
                           report_interval="100ms")
    db("SELECT usher.set_category(%s, \"join\" => 'authenticated',"
       " presence => true)", category)
    group = f"{category}_1"
    page = DebugPage(driver, usherd.origin + "/")
    page.connected(token).subscribe(group)
    page.wait(f"group-{group}", f"Here: {user.username} ({user.pk})")
    friend = make_user()
    with usherd.connect(group, site.create_token(friend).key):
        page.wait(f"group-{group}", f"{friend.username} ({friend.pk})")
    eventually(lambda: friend.username not in page.text(f"group-{group}"),
               what="the friend leaves the list")
    page.click("disconnect")
    page.wait("state", "Closed")


def test_the_page_explains_every_code_and_reason_of_the_protocol(page):
    """protocol.md and the page change together."""
    text = (REPO / "listener/protocol.md").read_text()
    table = text.split("| code | reason |", 1)[1]
    shown = page.driver.execute_script(
        "return [...document.querySelectorAll('#codes tr')].map("
        "row => [row.cells[0].textContent, row.cells[1].textContent])")
    shown = {tuple(row) for row in shown}
    expected = set()
    for row in re.findall(r"^\| (\d{4}) \| (.*?) \|", table, re.M):
        code, reasons = row
        expected |= {(code, ""), *((code, reason) for reason in
                                   re.findall(r"`(\w+)`", reasons))}
    assert len(expected) > 50
    assert expected - shown == set()


def test_the_page_fits_a_phone(page, driver, token, group):
    driver.set_window_size(360, 740)
    try:
        page.connected(token).subscribe(group)
        page.send(group, "text", "x" * 500)
        page.wait("messages", "x" * 500)
        page.screenshot("debug-phone")
        width = driver.execute_script(
            "return document.documentElement.scrollWidth -"
            " document.documentElement.clientWidth")
        assert width <= 0
    finally:
        driver.set_window_size(800, 900)


def test_every_field_has_a_label_and_nothing_comes_from_elsewhere(
        page, driver, listener):
    assert driver.execute_script(
        "return [...document.querySelectorAll('input, select, textarea')]"
        ".filter(field => !field.labels.length).map(f => f.id)") == []
    loaded = driver.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)")
    assert [url for url in loaded if not url.startswith("data:")] == [
        listener.origin + "/usher.js"]
    assert page.errors() == []
