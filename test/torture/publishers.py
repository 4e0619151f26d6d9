"""The publishers: a process with a thread and a connection for each.

They find the primary as a site would, by a connection string with both hosts,
and write down what they meant to do and what became of it.  What is not known
(the connection was lost in COMMIT) is written down as unknown; the table
decides.  Ends when told to on standard input, or when that is closed.

Argument: a JSON object; see torture.py, which makes it.
"""
import json
import random
import sys
import threading
import time
from pathlib import Path

import psycopg2

from records import LETTERS, Log, payload

FUNCTIONS = {"j": "broadcast", "t": "broadcast_text", "b": "broadcast_binary"}

# A transaction's own fate, drawn first.
ROLLS_BACK, UNDOES_A_PART = 0.12, 0.12
# Arrays of groups, long payloads (over the 8,000 bytes of a notification).
IS_ARRAY, IS_LONG = 0.3, 0.02
# Some sites are careful about the order in which they lock, some are not.
IS_UNSORTED = 0.05


class Publisher(threading.Thread):
    def __init__(self, number, options, stopping):
        super().__init__(daemon=True)
        self.number = number
        self.options = options
        self.stopping = stopping
        self.random = random.Random(f"{options['seed']} publisher {number}")
        self.log = Log(Path(options["folder"]) / f"publisher-{number}.log")
        self.connection = None
        self.transaction = 0
        self.message = 0
        self.burst = 0

    def run(self):
        try:
            while not self.stopping.is_set():
                if self.is_connected():
                    self.publish()
                    self.pause()
        finally:
            self.log.close()
            if self.connection:
                self.connection.close()

    def is_connected(self):
        if self.connection and not self.connection.closed:
            return True
        try:
            self.connection = psycopg2.connect(self.options["conninfo"])
            return True
        except psycopg2.OperationalError:
            self.stopping.wait(self.random.uniform(0.05, 0.3))
            return False

    def pause(self):
        """Unevenly: mostly alone, now and then as fast as it can."""
        if self.burst:
            self.burst -= 1
        elif self.random.random() < 0.03:
            self.burst = self.random.randrange(5, 20)
        else:
            mean_s = self.options["publishers"] / self.options["rate"]
            self.stopping.wait(self.random.expovariate(1 / mean_s))

    # ---- one transaction ------------------------------------------------

    def publish(self):
        self.transaction += 1
        plan = self.plan()
        # A statement alone is its own commit.
        alone = len(plan) == 1 and self.random.random() < 0.3
        fate = None if alone else self.random.random()
        committing = alone
        try:
            self.connection.autocommit = alone
            with self.connection.cursor() as cursor:
                for message in plan:
                    self.broadcast(cursor, message,
                                   undo=fate is not None and fate > 1
                                   - UNDOES_A_PART
                                   and self.random.random() < 0.5)
            if not alone:
                self.dawdle()
                if fate < ROLLS_BACK:
                    self.connection.rollback()
                    self.log.write("b", self.transaction)
                    return
                committing = True
                self.connection.commit()
            self.log.write("a", self.transaction)
        except psycopg2.Error as error:
            self.on_error(error, committing)
        finally:
            self.log.flush()

    def plan(self):
        """1 to 3 messages: (kind, groups)."""
        messages = []
        for _ in range(self.random.choice((1, 1, 2, 3))):
            count = self.random.randrange(1, 5) \
                if self.random.random() < IS_ARRAY else 0
            groups = self.random.sample(self.options["groups"], count or 1)
            kind = self.random.choices("jtb", (8, 1, 1))[0]
            messages.append((kind, groups, count > 0))
        if self.random.random() >= IS_UNSORTED:
            messages.sort(key=lambda message: min(message[1]))
        return messages

    def broadcast(self, cursor, message, undo):
        kind, groups, is_array = message
        self.message += 1
        data, sum_ = payload(kind, self.number, self.message,
                             self.transaction, self.filler())
        self.log.write("i", self.transaction, self.message, kind,
                       ",".join(groups), sum_)
        if undo:
            cursor.execute("SAVEPOINT part")
        cursor.execute(
            f"SELECT usher.{FUNCTIONS[kind]}(%s, %s)",
            (groups if is_array else groups[0],
             json.dumps(data) if kind == "j" else data))
        if undo:
            cursor.execute("ROLLBACK TO SAVEPOINT part")
            self.log.write("v", self.transaction, self.message)

    def filler(self):
        length = self.random.choice((0, 0, 0, 10, 60))
        if self.random.random() < IS_LONG:
            length = self.random.randrange(4000, 12000)
        return "".join(self.random.choices(LETTERS, k=length))

    def dawdle(self):
        """Between the last statement and COMMIT, with all locks held."""
        if self.random.random() < 0.3:
            time.sleep(min(self.random.expovariate(1 / 0.02), 0.5))

    def on_error(self, error, committing):
        """A server that answers COMMIT with an error and goes on has rolled
        back; one that goes away may have done either."""
        lost = self.connection.closed or error.pgcode is None \
            or error.pgcode[:2] in ("57", "08")
        unknown = committing and lost
        self.log.write("u" if unknown else "b", self.transaction)
        if lost:
            self.connection.close()
        else:
            self.connection.rollback()


def main():
    options = json.loads(sys.argv[1])
    stopping = threading.Event()
    publishers = [Publisher(number, options, stopping)
                  for number in range(options["publishers"])]
    for publisher in publishers:
        publisher.start()
    sys.stdin.readline()
    stopping.set()
    for publisher in publishers:
        publisher.join()


if __name__ == "__main__":
    main()
