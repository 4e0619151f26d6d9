"""The demo's page in a real browser, and the demo as a command."""
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest
import support_browser
from harness import REPO, eventually
from selenium.webdriver.common.by import By


@pytest.fixture(scope="module")
def chromium():
    with support_browser.chromium() as driver:
        yield driver


class Page(support_browser.Page):
    def __init__(self, driver, site):
        super().__init__(driver, site.url + "/")

    def log_in(self, name, password):
        for field, value in (("user", name), ("password", password)):
            self.element(field).clear()
            self.element(field).send_keys(value)
        self.element("password").submit()


@pytest.fixture
def page(chromium, site, usherd):
    page = Page(chromium, site)
    page.errors()   # forget those of the test before
    return page


@pytest.fixture
def open_page(page, user, token):
    """The page, logged in and connected as user."""
    page.screenshot("1-login")
    page.log_in(user.username, user.username)
    page.wait("state", "Connected")
    return page


def test_a_wrong_password_is_told(page, user):
    page.log_in(user.username, "wrong")
    page.wait("login-error", "Could not log in")
    assert page.text("state") == "Not connected"


def test_one_logs_in_sees_messages_and_sends_one(open_page, sql):
    page = open_page
    sql("SELECT usher.broadcast('app_1',"
        " '{\"from\": \"psql\", \"text\": \"hello from SQL\"}')")
    page.wait("messages", "psql: hello from SQL")

    page.element("text").send_keys("hello from the page")
    page.element("send").click()
    page.wait("messages", "hello from the page")

    page.element("text").send_keys("hello through Django")
    page.element("say").click()
    page.wait("messages", ": hello through Django")

    # A broadcast is data, never markup.
    sql("SELECT usher.broadcast_text('app_1', '<img src=x onerror=alert(1)>')")
    page.wait("messages", "<img src=x")
    page.screenshot("2-messages")
    assert page.errors() == []


def test_deleting_the_token_in_the_admin_closes_the_socket(open_page, admin,
                                                           user):
    page = open_page
    answer = admin.post_form(
        f"/admin/authtoken/tokenproxy/{user.pk}/delete/", {"post": "yes"})
    assert answer.status == 302
    page.wait("code", "4410")
    page.wait("meaning", "your token was deleted")
    assert page.text("state") == "Closed"
    page.screenshot("3-revoked")

    # Whoever logs in again gets a new token and is back.
    page.log_in(user.username, user.username)
    page.wait("state", "Connected")
    assert not page.element("closed").is_displayed()


def test_a_kicked_user_is_told_that_his_token_is_good(open_page, sql, user):
    page = open_page
    sql(f"SELECT usher.kick('{user.pk}', 'app_1')")
    page.wait("code", "4410")
    page.wait("meaning", "Your token is still good")
    page.element("again").click()
    page.wait("state", "Connected")


def test_a_page_whose_session_key_expires_connects_again(
        page, site, user, sql):
    # The view asks for the default, which a demo cannot wait for.
    source = sql("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid ="
                 " (SELECT oid FROM pg_proc WHERE pronamespace ="
                 " 'usher'::regnamespace AND proname = 'issue_session')")
    assert "'00:02:00'" in source
    sql(source.replace("'00:02:00'", "'00:00:01.5'"))
    try:
        page.log_in(user.username, user.username)
        page.wait("state", "Connected")
        page.wait("code", "4419")
        page.wait("meaning", "Your session key expired")
        page.wait("state", "Connected")
    finally:
        sql(source)


@pytest.fixture
def cookies_welcome(site, usherd):
    """The listener lets the site's pages use their cookies."""
    usherd.stop()
    usherd.settings["allowed_origins"] = site.url
    usherd.start()
    yield
    usherd.stop()
    del usherd.settings["allowed_origins"]
    usherd.start()


def test_a_visitor_logged_in_by_django_connects_with_his_cookie(
        chromium, site, user, sql, cookies_welcome):
    chromium.get(site.url + "/accounts/login/?next=/")
    chromium.find_element(By.NAME, "username").send_keys(user.username)
    chromium.find_element(By.NAME, "password").send_keys(user.username)
    chromium.find_element(By.NAME, "password").submit()
    try:
        page = Page(chromium, site)
        page.wait("by-cookie", user.username)
        page.screenshot("6-by-cookie")
        page.element("cookie").click()
        page.wait("state", "Connected")
        sql("SELECT usher.broadcast_text('app_1', 'hello, cookie')")
        page.wait("messages", "hello, cookie")

        chromium.find_element(By.CSS_SELECTOR, "#log-out button").click()
        page.wait("code", "4410")
        page.wait("meaning", "you logged out")
        assert page.errors() == []
    finally:
        here = chromium.current_window_handle
        for tab in chromium.window_handles:
            if tab != here:
                chromium.switch_to.window(tab)
                chromium.close()
        chromium.switch_to.window(here)
        chromium.delete_all_cookies()


def test_a_page_finds_its_listener_again(chromium, site, user, token, usherd):
    page = Page(chromium, site)
    page.log_in(user.username, user.username)
    page.wait("state", "Connected")
    usherd.stop()
    page.wait("meaning", "The server is restarting")
    page.screenshot("4-reconnecting")
    usherd.start()
    page.wait("state", "Connected", 20)


def test_the_page_fits_a_phone(open_page, chromium):
    chromium.set_window_size(360, 740)
    try:
        open_page.screenshot("5-phone")
        width = chromium.execute_script(
            "return document.documentElement.scrollWidth -"
            " document.documentElement.clientWidth")
        assert width <= 0
    finally:
        chromium.set_window_size(800, 900)


def test_every_field_of_the_page_has_a_label(open_page, chromium):
    unnamed = chromium.execute_script(
        "return [...document.querySelectorAll('input')]"
        ".filter(field => field.type != 'hidden' &&"
        " !field.labels.length).map(field => field.id)")
    assert unnamed == []
    assert open_page.element("messages").get_attribute("aria-live") == "polite"


# ---- the command --------------------------------------------------------

def demo(*arguments):
    return subprocess.Popen(
        [sys.executable, str(REPO / "test/demo.py"), *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True)


def running_in(folder):
    """Pids whose command line or working folder names the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as line:
                command = line.read()
        except OSError:
            continue
        if str(folder) in command and int(pid) != os.getpid():
            found.append((int(pid), command))
    return found


@pytest.fixture
def demo_folder():
    """As short-lived as a demo, and open to the user PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="usher-demo-") as folder:
        os.chmod(folder, 0o755)
        yield folder


def test_the_demo_does_what_it_shows(demo_folder):
    process = demo("--check", "--folder", f"{demo_folder}/data")
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert "ok - demo: close after the token was deleted" in output
    assert running_in(demo_folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_stops_at_a_signal_and_leaves_nothing_running(demo_folder,
                                                               number):
    process = demo("--folder", f"{demo_folder}/data")
    try:
        output = ""
        while "Ctrl-C stops everything" not in output:
            line = process.stdout.readline()
            assert line, output
            output += line
        assert running_in(demo_folder) != []
    finally:
        process.send_signal(number)
    started = time.monotonic()
    output += process.communicate(timeout=30)[0]
    assert process.returncode == 0, output
    assert time.monotonic() - started < 5
    assert running_in(demo_folder) == []


def test_a_demo_that_is_killed_leaves_nothing_running(demo_folder):
    process = demo("--folder", f"{demo_folder}/data")
    while "Ctrl-C stops everything" not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=10)
    eventually(lambda: running_in(demo_folder) == [],
               what="end of the demo's processes")
