"""What goes wrong, at random times.

Each fault is a thread of its own, so they overlap; those that need the same
thing (the database, one listener, one client process) wait for each other.
The threads live as long as the run does: the kernel takes the end of the
thread that started a process for the end of its parent (PR_SET_PDEATHSIG).
"""
import collections
import concurrent.futures
import os
import random
import signal
import threading
import time

from cluster import interrupted
from harness.process import eventually

THREADS = 6

# Long cuts pass tcp_user_timeout (8 s), so the listener gives up; short ones
# it does not notice.
SHORT_CUT_S, LONG_CUT_S = (1, 3), (9, 12)


class Faults:
    """pair, listeners, network, and processes: those that hold clients.

    counts   how often each kind happened
    skipped  how often it could not, with the reason
    surprises  what died without our doing
    """

    def __init__(self, pair, listeners, network, processes, options):
        self.pair = pair
        self.listeners = listeners
        self.network = network
        self.processes = processes
        self.random = random.Random(f"{options.seed} faults")
        self.is_short = options.seconds < 100
        self.promotions_left = 1 if self.is_short else 2
        self.every_s = options.fault_every
        self.kinds = [kind for kind in options.faults if kind != "none"]
        self.counts = collections.Counter()
        self.skipped = collections.Counter()
        self.surprises = []
        self.story = []
        self.began = time.monotonic()
        self.pool = concurrent.futures.ThreadPoolExecutor(THREADS)
        self.running = []
        self.again = []         # kinds that could not happen when tried
        self.locks = collections.defaultdict(threading.Lock)
        self.ending = threading.Event()

    # ---- the course of things -------------------------------------------

    def run(self, seconds):
        """All kinds in random order, again and again."""
        end = time.monotonic() + seconds
        deck = []
        while self.kinds:
            pause = self.every_s * self.random.uniform(0.3, 1.7)
            if time.monotonic() + pause >= end:
                break
            time.sleep(pause)
            self.check_alive()
            if self.again:
                deck.insert(0, self.again.pop(0))
            if not deck:
                deck = self.random.sample(self.kinds, len(self.kinds))
            kind = deck.pop()
            self.running.append(self.pool.submit(
                self.do, kind, random.Random(self.random.random())))
        time.sleep(max(0, end - time.monotonic()))

    def do(self, kind, chance):
        answer, why = None, "nothing there to do it to"
        try:
            answer = getattr(self, kind)(chance)
        except Exception as error:
            why = str(error).strip().replace("\n", " ")
            if not interrupted(error):
                self.surprises.append(f"fault {kind}: {error!r}")
        if answer is None:
            self.skipped[kind] += 1
            self.tell(f"{kind}: not possible then ({why})")
            if not self.counts[kind]:
                self.again.append(kind)
        else:
            self.counts[kind] += 1
            self.tell(f"{kind}: {answer}")

    def tell(self, text):
        self.story.append(f"{time.monotonic() - self.began:7.2f} s  {text}")

    def heal(self):
        """No new faults; wait for those under way and for the database."""
        self.ending.set()
        while self.running:     # some of them start another
            self.running.pop(0).result()
        self.pair.wait_up()
        self.check_alive()
        for listener in self.listeners:
            eventually(listener.is_ready, 60, 0.1, "a ready listener")

    def close(self):
        """The threads end, and with them whatever they started."""
        self.ending.set()
        self.pair.stopping = True
        self.pool.shutdown(cancel_futures=True)

    def never(self):
        """The kinds that this run did not see."""
        return [kind for kind in self.kinds if not self.counts[kind]]

    def check_alive(self):
        """Start a listener again that ended though nobody ended it."""
        for listener in self.listeners:
            if not self.locks[listener].acquire(blocking=False):
                continue    # somebody is at it just now
            try:
                if not listener.is_running():
                    status = listener.process and listener.process.wait()
                    self.surprises.append(
                        f"{listener.name} ended by itself with {status}: "
                        f"{listener.log()[-3000:]}")
                    listener.start(wait=False)
            finally:
                self.locks[listener].release()

    # ---- PostgreSQL -----------------------------------------------------

    def kill_backend(self, chance):
        """Any one; the postmaster then ends all others and recovers."""
        with self.pair.lock:
            primary = self.pair.primary
            rows = primary.ask(
                "SELECT array_agg(pid || ' ' || backend_type) FROM"
                " pg_stat_activity WHERE pid <> pg_backend_pid()")[0]
            pid, kind = chance.choice(sorted(rows)).split(" ", 1)
            os.kill(int(pid), signal.SIGKILL)
            # Not so fast that the old one is asked.
            time.sleep(0.1)
            self.pair.wait_up()
        return kind

    def kill_postmaster(self, chance):
        with self.pair.lock:
            time.sleep(0 if self.is_short else chance.uniform(0, 2))
            self.pair.restart()
            self.pair.wait_up()
        return "and started again"

    def terminate(self, chance):
        """The listeners' connections, one or all."""
        limit = chance.choice(("1", "1", "NULL"))
        with self.pair.lock:
            count = self.pair.primary.ask(
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid"
                " FROM pg_stat_activity WHERE usename = 'usherd'"
                f" ORDER BY random() LIMIT {limit}) AS these")[0]
        return f"{count} connections" if count else None

    def promote(self, chance):
        with self.pair.lock:
            if not self.promotions_left or not self.pair.promote():
                return None
            self.promotions_left -= 1
            self.pair.wait_up()
        self.running.append(self.pool.submit(self.pair.add_standby))
        return f"{self.pair.primary.name} is the primary now"

    # ---- listeners ------------------------------------------------------

    def kill_listener(self, chance):
        listener = chance.choice(self.listeners)
        with self.locks[listener]:
            listener.kill()
            self.ending.wait(chance.uniform(0, 1.5))
            listener.start(wait=False)
        return listener.name

    def stop_listener(self, chance):
        listener = chance.choice(self.listeners)
        with self.locks[listener]:
            return self.pause(listener.process, chance.uniform(1, 3),
                              listener.name)

    def pause(self, process, for_s, name):
        process.send_signal(signal.SIGSTOP)
        try:
            self.ending.wait(for_s)
        finally:
            process.send_signal(signal.SIGCONT)
        return f"{name} for {for_s:.1f} s"

    def stop_clients(self, chance):
        process = chance.choice(self.processes)
        longest = 5 if self.is_short else 12
        with self.locks[process]:
            return self.pause(process, chance.uniform(1, longest),
                              process.name)

    # ---- the network ----------------------------------------------------

    def cut_database(self, chance):
        return self.cut("database", chance)

    def cut_clients(self, chance):
        return self.cut("clients", chance)

    def cut(self, cable, chance):
        is_long = not self.is_short and chance.random() < 0.5
        for_s = chance.uniform(*(LONG_CUT_S if is_long else SHORT_CUT_S))
        with self.locks[cable]:
            self.network.cut(cable)
            try:
                self.ending.wait(for_s)
            finally:
                self.network.restore(cable)
        return f"for {for_s:.1f} s"


KINDS = ("kill_backend", "kill_postmaster", "kill_listener", "terminate",
         "stop_listener", "stop_clients", "cut_database", "cut_clients",
         "promote")
NEED_NETWORK = ("cut_database", "cut_clients")
