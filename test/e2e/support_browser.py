"""A real Chromium for tests, and usher.js in a page of it.

chromium()     a headless one with a profile of its own, as a context manager
Page           elements by id, as somebody who reads the page sees them
InPage         usher.js as a site's own script uses it
"""
import contextlib
import os
import signal
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--window-size=800,900"]


@contextlib.contextmanager
def chromium():
    with tempfile.TemporaryDirectory(prefix="usher-chromium-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options)
        driver.set_script_timeout(30)
        try:
            yield driver
        finally:
            driver.quit()


def descendants(pid):
    """All processes below this one; chromedriver's are the browser's."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except FileNotFoundError:
            continue
        for child in map(int, children):
            found += [child, *descendants(child)]
    return found


def signal_all(pids, number):
    """Chromium ends processes of its own when it likes."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def asleep(driver):
    """The whole browser stands still, as when a lid is closed."""
    pids = descendants(driver.service.process.pid)
    assert pids
    try:
        signal_all(pids, signal.SIGSTOP)
        yield
    finally:
        signal_all(pids, signal.SIGCONT)


def wait_until(driver, condition, deadline_s, describe):
    """describe says how it is when the condition has not come true."""
    try:
        WebDriverWait(driver, deadline_s, 0.05).until(lambda _: condition())
    except TimeoutException:
        raise AssertionError(describe()) from None


class Page:
    """A page as somebody who reads it sees it."""

    def __init__(self, driver, url):
        self.driver = driver
        driver.get(url)

    def element(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.element(name).text

    def wait(self, name, text, deadline_s=10):
        """Wait until the element shows the text."""
        wait_until(self.driver, lambda: text in self.text(name), deadline_s,
                   lambda: f"#{name} shows {self.text(name)!r}, no {text!r}")

    def write(self, name, text):
        element = self.element(name)
        element.clear()
        element.send_keys(text)

    def screenshot(self, name):
        """For people: where $SCREENSHOTS says."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.driver.save_screenshot(f"{folder}/{name}.png")

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE"]


class InPage:
    """usher.js, imported by the page the driver shows.

    run("return await usher.send(arg[0], 1)", group): the body of an async
    function; what it throws is raised as JsError with code and reason.
    What happens is kept in the page: seen (messages), events (all others).
    """

    BEGIN = """
        const { connect } = await import(arg[0]);
        globalThis.seen = [];
        globalThis.events = [];
        globalThis.asked = [];
        globalThis.plain = (e) => e === undefined ? null :
            typeof e !== "object" || e === null ? e :
            { code: e.code, reason: e.reason, detail: e.detail,
              group: e.group, recovered: e.recovered, user: e.user };
        const fetchKey = async (why) => {
            asked.push(String(why));
            const answer = await fetch(arg[2].session, {
                method: "POST", body: JSON.stringify(arg[2].options),
                headers: { Authorization: arg[2].authorization,
                           "Content-Type": "application/json" } });
            const body = await answer.json();
            if (!answer.ok)
                throw Object.assign(new Error(body.reason), body);
            return body.session_key;
        };
        globalThis.usher = connect(arg[1], {
            ...(arg[2].session ? { token: fetchKey } : {}),
            ...arg[2].how });
        for (const name of ["state", "welcome", "close", "error", "expiring",
                            "resume"])
            usher.on(name, (e) => events.push([name, plain(e)]));
        usher.closed.then((e) => events.push(["closed", plain(e)]));
        globalThis.hear = async (group) => {
            globalThis.sub = usher.subscribe(group,
                (data) => seen.push(data instanceof Uint8Array ?
                    { bytes: [...data] } : data));
            sub.on("unsubscribed", (e) =>
                events.push(["unsubscribed", plain(e)]));
            const { group: name } = await sub.ready;
            return name;
        };
    """

    def __init__(self, driver, url, module, session=None, token=None,
                 options=None, **how):
        self.driver = driver
        self.run(self.BEGIN, module, url, {
            "session": session, "authorization": f"Token {token}",
            "options": options or {}, "how": how})

    def run(self, body, *arg):
        answer = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "const arg = [...arguments].slice(0, -1);"
            "(async () => {" + body + "})().then("
            "(value) => done({ value: value ?? null }),"
            "(e) => done({ code: e.code ?? null, reason: e.reason ?? null,"
            " text: String(e.stack ?? e) }))", *arg)
        if "text" in answer:
            raise JsError(answer["code"], answer["reason"], answer["text"])
        return answer["value"]

    @property
    def state(self):
        return self.run("return usher.state")

    @property
    def seen(self):
        return self.run("return seen")

    @property
    def asked(self):
        """Why a credential was asked for, each time."""
        return self.run("return asked")

    def events(self, name):
        return [event for kind, event in self.run("return events")
                if kind == name]

    def wait(self, condition, deadline_s=15):
        """Wait until the JavaScript expression is true."""
        wait_until(self.driver,
                   lambda: self.run(f"return Boolean({condition})"),
                   deadline_s,
                   lambda: f"not {condition}: {self.run('return events')}, "
                   f"seen {self.seen}")


class JsError(Exception):
    def __init__(self, code, reason, text):
        super().__init__(f"{code} {reason}: {text}")
        self.code = code
        self.reason = reason
