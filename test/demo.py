#!/usr/bin/python3
"""make demo: a Django site, its PostgreSQL and usherd, until Ctrl-C.

Everything is private and on loopback, everything it writes lies in ./demo-data,
and every run starts afresh.  With --check (or DEMO_ONCE=1) it tries what it
shows, once, and its exit status tells.
"""
import argparse
import fcntl
import json
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

from harness import Cluster, REPO, Site, Usherd, free_port, scratch_dir
from harness.process import Account, remove_scratch_dir

# PostgreSQL's socket is FOLDER/pg/.s.PGSQL.5432, at most 107 bytes.
LONGEST_FOLDER = 107 - len("/pg/.s.PGSQL.5432")


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.parts = []

    def open_folder(self):
        """Take the folder for ourselves and empty it."""
        self.folder.mkdir(exist_ok=True)
        self.lock = open(self.folder / "lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"a demo is already running in {self.folder}")
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()
        # PostgreSQL may run as another user, who must get through here.
        self.folder.chmod(0o755)

    def cluster_folder(self):
        usable = Account().may_enter(self.folder) and \
            len(os.fsencode(self.folder)) <= LONGEST_FOLDER
        return self.folder / "pg" if usable else scratch_dir("usher-demo-")

    def start(self):
        self.open_folder()
        say("starting PostgreSQL")
        folder = self.cluster_folder()
        # No TCP: the account's rights on the socket's folder are the only
        # ones needed, and the port number is a file name.
        self.cluster = Cluster(folder, tcp=False, port=5432)
        self.parts.append(self.cluster)
        self.cluster.create().start()
        say("starting the Django site")
        self.usherd = Usherd(None, port=free_port(8765),
                             log=self.folder / "usherd.log")
        self.site = Site(self.cluster, port=free_port(8000),
                         usherd_port=self.usherd.port,
                         log=self.folder / "site.log")
        self.parts.append(self.site)
        self.site.create().serve()
        say("starting usherd")
        self.usherd.settings["database"] = self.site.conninfo()
        # The page comes from another port, so it is not of the same origin.
        self.usherd.settings["allowed_origins"] = "127.0.0.1, localhost"
        self.usherd.settings["page"] = "on"
        self.parts.append(self.usherd)
        self.usherd.start()
        self.write_psql()

    def write_psql(self):
        """A command short enough to try things with."""
        script = self.folder / "psql"
        script.write_text(
            "#!/bin/sh\n# The demo's database, as the site's own role.\n"
            f"exec psql -X {shlex.quote(self.site.conninfo('site'))} "
            '"$@"\n')
        script.chmod(0o755)

    def stop(self):
        for part in reversed(self.parts):
            part.stop()
        self.parts = []
        if self.cluster_is_elsewhere():
            remove_scratch_dir(self.cluster.folder)

    def cluster_is_elsewhere(self):
        return hasattr(self, "cluster") and \
            self.cluster.folder.parent != self.folder

    def dead_part(self):
        for part in self.parts:
            if part.process is not None and not part.process.is_running():
                return part.process
        return None

    def describe(self):
        try:
            psql = (self.folder / "psql").relative_to(Path.cwd())
        except ValueError:
            psql = self.folder / "psql"
        socket = f"ws://127.0.0.1:{self.usherd.port}/ws"
        http = f"http://127.0.0.1:{self.usherd.port}"
        print(f"""
Usher demo

  page    {self.site.url}/
  debug   {http}/#group=app_1
          the listener's own page: every frame, and what each code means
  users   alice, bob, admin (the password is the name)
  socket  {socket} (usher.v1, many groups), {socket}/app_1 (raw)
  logs    {self.folder}/*.log

Log in on the page, with a token or by Django's own form and its cookie; then
try, in another terminal:

  say something to everybody on the page
    {psql} -c "SELECT usher.broadcast('app_1', '{{\\"from\\": \\"psql\\", \\"text\\": \\"hello\\"}}')"

  delete alice's token: her socket closes with 4410
    {psql} -c "DELETE FROM authtoken_token WHERE user_id = (SELECT id FROM auth_user WHERE username = 'alice')"
    or in the admin: {self.site.url}/admin/authtoken/tokenproxy/

  bob's JWT from simplejwt's view opens a socket: 101, and messages as they come
    curl -siN -H "Authorization: Bearer $(curl -sd 'username=bob&password=bob' {self.site.url}/api/jwt/ | sed 's/.*"access":"//; s/".*//')" -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' {http}/ws/app_1

  a token for the listener's page, and a session key made of it by the listener
    curl -sd 'username=bob&password=bob' {self.site.url}/api/token/
    curl -s -X POST -H "Authorization: Token $(curl -sd 'username=bob&password=bob' {self.site.url}/api/token/ | sed 's/.*"token":"//; s/".*//')" -H 'Content-Type: application/json' -d '{{"ttl": 60}}' {http}/session

  who is connected, as operators see it
    {psql} -c "SELECT * FROM usher.connection"

  a client without a browser, and a plain NOTIFY that reaches it
    /usr/bin/python3 -m websockets "{socket}/plain_1?session_key=$({psql} -Atc "SELECT session_key FROM usher.issue_session_for((SELECT id::text FROM auth_user WHERE username = 'bob'))")"
    {psql} -c "NOTIFY plain_1, 'hello from a trigger'"

  the listener's health
    curl {http}/healthz; curl {http}/readyz

Ctrl-C stops everything.
""", flush=True)

    def check(self):
        """Do what a visitor of the page does."""
        from harness.client import Client
        browser = self.site.browser()
        page = browser.get("/")
        expect(page.status == 200 and b"Usher demo" in page.body, "page")
        token = browser.post_json("/api/token/", {
            "username": "alice", "password": "alice"})["token"]
        key = browser.post_json("/api/session/", {}, token)["session_key"]
        with Client(self.usherd.url("app_1", session_key=key),
                    origin=self.site.url) as client:
            self.site.psql("SELECT usher.broadcast('app_1', '{\"n\": 1}')",
                           user="site")
            expect(client.receive_json() == {"n": 1}, "broadcast from SQL")
            browser.post_json("/api/say/", {"text": "hello"}, token)
            expect(client.receive_json() ==
                   {"from": "alice", "text": "hello"}, "broadcast from Django")
            client.send("hello from a client")
            expect(client.receive() == "hello from a client",
                   "message of a client")
            self.site.psql("DELETE FROM authtoken_token", user="site")
            expect(client.wait_close().code == 4410,
                   "close after the token was deleted")
        browser.sign_in("bob", "bob")
        with self.usherd.connect_by_cookie(
                "app_1", browser.cookies["sessionid"],
                origin=self.site.url) as client:
            client.ping()
            browser.sign_out()
            expect(client.wait_close().code == 4410,
                   "cookie of Django's session, close after logging out")
        access = browser.post_json("/api/jwt/", {
            "username": "bob", "password": "bob"})["access"]
        with self.usherd.connect("app_1", headers={
                "Authorization": f"Bearer {access}"}) as client:
            client.ping()
            expect(True, "JWT of simplejwt")
        self.check_many_groups(browser)

    def check_many_groups(self, browser):
        """usher.v1, as usher.js and the listener's own page speak it."""
        from harness.client import Client
        for path, part in (("/", b"<title>usherd</title>"),
                           ("/usher.js", b"usher.v1")):
            answer = self.usherd.get(path)
            expect(answer.status == 200 and part in answer.body,
                   f"the listener's {path}")
        token = browser.post_json("/api/token/", {
            "username": "bob", "password": "bob"})["token"]
        key = json.loads(self.usherd.get("/session", "POST", {
            "Authorization": f"Token {token}"}).body)["session_key"]
        with Client(f"ws://127.0.0.1:{self.usherd.port}/ws",
                    subprotocols=["usher.v1"]) as client:
            client.send_json({"type": "auth", "id": 1, "token": key})
            expect(client.receive_json()["username"] == "bob",
                   "session key of POST /session, as first message")
            client.send_json({"type": "subscribe", "id": 2,
                              "groups": ["app_1", "app_2"]})
            expect({client.receive_json()["group"] for _ in range(2)} ==
                   {"app_1", "app_2"}, "two groups on one socket")
            self.site.psql("SELECT usher.broadcast('app_2', '{\"n\": 2}')",
                           user="site")
            expect(client.receive_json() == {
                "type": "message", "group": "app_2", "data": {"n": 2}},
                "broadcast to the second of them")


def say(what):
    print(f"demo: {what}", flush=True)


def expect(is_so, what):
    print(f"{'ok' if is_so else 'not ok'} - demo: {what}", flush=True)
    if not is_so:
        sys.exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true",
                        default=os.environ.get("DEMO_ONCE", "") not in
                        ("", "0"),
                        help="try everything once and stop")
    parser.add_argument("--folder", type=Path, default=REPO / "demo-data")
    options = parser.parse_args()

    # Every one of these means: stop in good order.
    def interrupt(number, frame):
        raise KeyboardInterrupt
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)

    status = 0
    demo = Demo(options.folder.resolve())
    try:
        demo.start()
        if options.check:
            demo.check()
        else:
            demo.describe()
            while not (dead := demo.dead_part()):
                time.sleep(0.5)
            print(f"demo: {dead.name} has ended; see {dead.log_path}",
                  file=sys.stderr)
            status = 1
    except KeyboardInterrupt:
        pass
    finally:
        # A second Ctrl-C must not leave half of it running.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        demo.stop()
        say("stopped")
    return status


if __name__ == "__main__":
    sys.exit(main())
