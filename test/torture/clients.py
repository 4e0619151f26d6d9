"""Clients of usher.v1 and of raw connections: one process, many of them.

Each keeps the last position of each of its groups, goes away in its own time
(by a close, or without a word), and comes back to any listener with `since`.
It judges nothing: it writes down what it was sent, and the checker judges.

Commands on standard input, a line each, answered by a line:

    settle {"group": seq, ...}    stay connected; "settled" when every client
                                  has got that far, or "behind <what>"
    stop                          write all down and end

Argument: a JSON object; see torture.py, which makes it.
"""
import asyncio
import functools
import json
import random
import sys
import time
from pathlib import Path

import psycopg2
import websockets
from websockets.frames import Close

from records import Log, digest, from_v1, identify

SETTLE_S = 60

# What a client does of itself, on average every so many seconds.
STAYS_S, CHANGES_S = 20, 15
# ... and how often it comes back without since, as one that was reloaded.
FORGETS = 0.03

GONE = (OSError, asyncio.TimeoutError, websockets.WebSocketException)


@functools.lru_cache(maxsize=4096)
def parsed(frame):
    """Many members are sent the same text; it is taken apart once."""
    message = json.loads(frame)
    if message.get("type") != "message":
        return message, None
    kind, data = from_v1(message)
    return message, (digest(kind, data), *identify(kind, data))


class Client:
    """What both kinds have: coming, going and coming back."""

    def __init__(self, number, crowd):
        self.number = number
        self.crowd = crowd
        options = crowd.options
        self.random = random.Random(f"{options['seed']} client {number}")
        self.groups = self.random.sample(
            options["groups"], self.random.randrange(1, 5))
        self.positions = {}
        self.connection = 0
        self.socket = None
        self.tasks = set()

    def log(self, *words):
        self.crowd.log.write(self.number, self.connection, *words)

    def later(self, mean_s, function, even_at_the_end=False):
        """Call function at a random time, unless the connection ends."""
        delay_s = self.random.expovariate(1 / mean_s)

        async def wait():
            await asyncio.sleep(delay_s)
            if even_at_the_end or not self.crowd.settling:
                await function()

        self.start(wait())

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.on_task_done)

    def on_task_done(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() and \
                not isinstance(task.exception(), GONE):
            self.crowd.fail(task.exception())

    async def run(self):
        await asyncio.sleep(self.random.uniform(0, 3))
        while True:
            name, url = self.random.choice(self.crowd.options["listeners"])
            self.connection += 1
            code, reason = 1006, ""
            try:
                await self.live(name, url)
                code, reason = 1000, "by_itself"
            except websockets.InvalidStatusCode as refusal:
                code, reason = refusal.status_code, "refused"
            except websockets.ConnectionClosed as closed:
                if closed.rcvd:
                    code, reason = closed.rcvd.code, closed.rcvd.reason
            except GONE as error:
                reason = type(error).__name__
            self.socket = None
            for task in list(self.tasks):
                task.cancel()
            self.log("x", code, reason.replace(" ", "_") or "-")
            self.on_end(code)
            await asyncio.sleep(self.random.uniform(0.02, 1.5))

    def on_end(self, code):
        pass

    def connect(self, url, **how):
        token = f"{self.number:040d}"
        return websockets.connect(
            url, extra_headers={"Authorization": f"Token {token}"},
            ping_interval=None, compression=None, open_timeout=5,
            close_timeout=1, max_queue=None, **how)

    async def leave(self):
        if self.random.random() < 0.5:
            self.socket.transport.abort()
        else:
            await self.socket.close()

    def is_behind(self, targets):
        """The groups in which it has not got as far as targets."""
        if self.socket is None:
            return self.groups
        return [group for group in self.groups
                if group in targets and
                (self.positions.get(group) or (0,))[0] < targets[group]]


class V1Client(Client):
    """Many groups, told where it is."""

    async def live(self, name, url):
        async with self.connect(f"{url}/ws",
                                subprotocols=["usher.v1"]) as socket:
            self.log("o", "v1", name)
            self.socket = socket
            self.subscribed = set()
            # What came before the welcome is no subscription of ours.
            await self.subscribe(self.groups)
            self.later(STAYS_S, self.leave)
            self.later(CHANGES_S, self.change)
            async for frame in socket:
                self.on_message(*parsed(frame))
            # The loop above takes a close with 1001 for a good end, too.
            if socket.close_code != 1000:
                raise websockets.ConnectionClosedError(
                    Close(socket.close_code, socket.close_reason), None)

    async def subscribe(self, groups):
        wanted = []
        for group in groups:
            since = self.positions.get(group)
            if since and self.random.random() < FORGETS:
                since = None
            self.log("s", group, *(since or "--"))
            wanted.append({"group": group, "since": {
                "seq": since[0], "tag": since[1]}} if since else group)
        await self.socket.send(json.dumps(
            {"type": "subscribe", "id": 1, "groups": wanted}))

    async def change(self):
        """Leave one group and come back to it, on the same connection."""
        group = self.random.choice(self.groups)
        if group in self.subscribed:
            self.subscribed.discard(group)
            self.log("u", group)
            await self.socket.send(json.dumps(
                {"type": "unsubscribe", "id": f"leave {group}",
                 "group": group}))
        self.later(CHANGES_S, self.change)

    def on_message(self, message, content):
        kind, group = message["type"], message.get("group", "-")
        seq, tag = message.get("seq", "-"), message.get("tag", "-")
        if kind == "message":
            self.log("m", group, seq, tag, *content)
            if seq != "-":
                self.positions[group] = seq, tag
        elif kind == "subscribed":
            recovered = message.get("recovered", "-")
            self.log("S", group, seq, tag, str(recovered).lower())
            self.subscribed.add(group)
            if recovered is not True and seq != "-":
                self.positions[group] = seq, tag
        elif kind == "reset":
            self.log("r", group, seq, tag)
            self.positions[group] = seq, tag
        elif kind == "ok" and str(message.get("id")).startswith("leave "):
            group = message["id"][len("leave "):]
            self.log("U", group)
            self.start(self.subscribe([group]))
        elif kind in ("error", "unsubscribed"):
            self.log("e", group, message.get("code"), message.get("reason"))
            if str(message.get("id")).startswith("leave "):
                self.subscribed.add(group)
            elif group in self.groups:
                self.start(self.again(group, message.get("retry_after_ms")))
            else:
                self.start(self.leave())

    async def again(self, group, retry_after_ms):
        await asyncio.sleep((retry_after_ms or 300) / 1000
                            + self.random.uniform(0, 0.3))
        await self.subscribe([group])


class RawClient(Client):
    """One group and its payloads only: it counts, and finds its position in
    usher.history, as a page does that is rendered with the last messages."""

    def __init__(self, number, crowd):
        super().__init__(number, crowd)
        self.groups = self.groups[:1]
        self.last = None        # (publisher, number) of the last message

    async def live(self, name, url):
        group = self.groups[0]
        since = None
        if self.random.random() >= FORGETS or self.crowd.settling:
            since = await asyncio.to_thread(self.find, group)
        path = f"{url}/ws/{group}"
        if since:
            path += f"?since={since[0]}.{since[1]}"
        self.log("s", group, *(since or "--"))
        async with self.connect(path) as socket:
            self.log("o", "raw", name)
            self.log("S", group, *(since or "--"), "-")
            self.socket = socket
            if not since:
                self.last = None
            self.positions[group] = since and (since[0], "-")
            self.later(STAYS_S, self.leave)
            if not since:
                # Where it is nobody tells it; nor can it be waited for.
                self.later(2, self.leave, even_at_the_end=True)
            async for frame in socket:
                self.on_frame(group, frame)
            if socket.close_code != 1000:
                raise websockets.ConnectionClosedError(
                    Close(socket.close_code, socket.close_reason), None)

    def on_frame(self, group, frame):
        if isinstance(frame, bytes):
            kind, data = "b", frame
        else:
            # Text and JSON look the same here; records.py has both digests.
            kind, data = "t", frame
        self.last = identify(kind, data)
        self.log("m", group, "-", "-", digest(kind, data), *self.last)
        if self.positions[group]:
            self.positions[group] = self.positions[group][0] + 1, "-"

    def find(self, group):
        """The position of the last message, or of the newest there is."""
        query = "SELECT seq, tag, format, data FROM usher.history(%s, %s, %s)"
        connection = None
        try:
            connection = psycopg2.connect(self.crowd.options["conninfo"])
            connection.autocommit = True
            cursor = connection.cursor()
            at, after = self.positions.get(group), None
            if self.last and at:
                after = max(0, at[0] - 20)
            while self.last:
                cursor.execute(query, (group, after, 100))
                rows = cursor.fetchall()
                for seq, tag, form, data in rows:
                    kind, data = from_v1({"format": form, "data": data})
                    if identify(kind, data) == self.last:
                        return seq, tag
                if not rows or after is None:
                    break
                after = rows[-1][0]
            cursor.execute(query, (group, None, 1))
            row = cursor.fetchone()
            self.last = None
            return (row[0], row[1]) if row else None
        except psycopg2.Error as error:
            raise OSError(str(error)) from error
        finally:
            if connection:
                connection.close()

    def on_end(self, code):
        if code in (409, 4409):
            self.last = None


class Crowd:
    """All clients of this process, and who commands them."""

    def __init__(self, options):
        self.options = options
        self.settling = False
        self.failure = None
        self.log = Log(Path(options["folder"])
                       / f"clients-{options['first']}.log")
        self.clients = []
        for number in range(options["first"],
                            options["first"] + options["count"]):
            kind = RawClient if number % options["raw_every"] == 0 \
                else V1Client
            self.clients.append(kind(number, self))

    def fail(self, error):
        """A mistake in this file must not look like silence."""
        self.failure = self.failure or repr(error)

    async def run(self):
        tasks = [asyncio.create_task(client.run())
                 for client in self.clients]
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while True:
            line = (await commands.readline()).decode()
            if not line or line.startswith("stop"):
                break
            if line.startswith("settle "):
                answer = await self.settle(json.loads(line[7:]))
                print(answer, flush=True)
        for task in tasks:
            if task.done() and task.exception():
                self.fail(task.exception())
            task.cancel()
        self.log.close()
        print(f"failed {self.failure}" if self.failure else "ended",
              flush=True)

    async def settle(self, targets):
        self.settling = True
        end = time.monotonic() + SETTLE_S
        while True:
            behind = [f"client {client.number} {group}"
                      for client in self.clients
                      for group in client.is_behind(targets)]
            self.log.flush()
            if not behind:
                return "settled"
            if time.monotonic() > end:
                return f"behind {', '.join(behind[:20])}"
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(Crowd(json.loads(sys.argv[1])).run())
