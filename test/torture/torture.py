"""Durable groups under every kind of failure, and a judgement (make torture).

Publishers, clients and listeners do their work while what faults.py lists
happens to them; then everything is healed and comes to rest, and checker.py
compares what each client was sent with what the table holds.  The seed decides
who does what; when exactly, the machine decides, so the same seed is the same
kind of run, not the same run.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import report                                            # noqa: E402
from checker import check_folder                         # noqa: E402
from cluster import Pair, all_rows                       # noqa: E402
from faults import KINDS, NEED_NETWORK, Faults           # noqa: E402
from harness.process import (REPO, end_on_signals,       # noqa: E402
                             remove_scratch_dir, scratch_dir)
from network import Network, why_not                     # noqa: E402
from records import row_line                             # noqa: E402
from workers import FORGETFUL, Listener, Worker          # noqa: E402

DOORBELLS = ("notify", "worker", "none")
PROCESSES = 4           # that hold the clients
SETTLE_S = 90           # longer than clients.py takes to give up

# Small and with everything in it, for make check.
SHORT = {"seconds": 25, "publishers": 8, "groups": 20, "clients": 100,
         "fault_every": 1.6, "rate": 40}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--seed", type=int, help="default: a random one")
    add("--seeds", type=int, default=1, help="so many runs, seed by seed")
    add("--seconds", type=float, default=300, help="how long faults go on")
    add("--publishers", type=int, default=16)
    add("--groups", type=int, default=50)
    add("--clients", type=int, default=500)
    add("--listeners", type=int, default=2)
    add("--rate", type=float, default=100, help="transactions a second")
    add("--doorbell", choices=(*DOORBELLS, "any"), default="any",
        help="any: the seed decides")
    add("--faults", type=lambda text: text.split(","), default=list(KINDS),
        help=f"of {', '.join(KINDS)}; or none")
    add("--fault-every", type=float, default=3, help="seconds, on average")
    add("--report", type=Path, default=REPO / "build/torture")
    add("--keep-logs", action="store_true", help="also of a good run")
    add("--short", action="store_true", help=f"{SHORT}")
    options = parser.parse_args()
    unknown = set(options.faults) - {*KINDS, "none"}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    if options.short:
        vars(options).update(SHORT)
    return options


class Run:
    """One seed: what is started, in order, and ended in the reverse order."""

    def __init__(self, options, stack):
        self.options = options
        self.folder = scratch_dir("usher-torture-")
        stack.callback(remove_scratch_dir, self.folder)
        self.not_run = []
        self.network = self.make_network(stack)
        self.pair = Pair({"usher.doorbell": options.doorbell}, self.network)
        stack.callback(self.pair.destroy)
        self.pair.create()
        self.listeners = self.start_listeners(stack)
        self.clients = self.start_clients(stack)
        self.publishers = Worker("publishers", "publishers.py", {
            "folder": str(self.folder), "seed": options.seed,
            "conninfo": self.pair.conninfo("site"), "groups": self.groups,
            "publishers": options.publishers, "rate": options.rate})
        stack.callback(self.publishers.kill)
        self.faults = Faults(self.pair, self.listeners, self.network,
                             self.clients, options)
        stack.callback(self.faults.close)
        self.findings = None

    def make_network(self, stack):
        wanted = set(self.options.faults) & set(NEED_NETWORK)
        if not wanted:
            return None
        reason = why_not() if self.options.listeners > 1 \
            else "there is one listener only"
        if reason:
            self.not_run = [f"{kind} ({reason})" for kind in sorted(wanted)]
            self.options.faults = [kind for kind in self.options.faults
                                   if kind not in wanted]
            return None
        network = Network()
        stack.callback(network.destroy)
        return network

    @property
    def groups(self):
        return [f"t_{number}" for number in range(1, self.options.groups + 1)]

    def start_listeners(self, stack):
        """The second one sits behind the cables, and remembers little."""
        listeners = []
        for number in range(1, self.options.listeners + 1):
            second = number == 2
            network = self.network if second else None
            host = network.database_host if network else "127.0.0.1"
            listener = Listener(
                f"listener-{number}", self.pair.conninfo("usherd", host),
                self.folder, network, **(FORGETFUL if second else {}))
            listeners.append(listener)
            stack.callback(self.end_listener, listener)
            listener.start()
        return listeners

    @staticmethod
    def end_listener(listener):
        if listener.process:
            listener.kill()

    def start_clients(self, stack):
        workers = []
        share = -(-self.options.clients // PROCESSES)
        for first in range(1, self.options.clients + 1, share):
            workers.append(Worker(f"clients-{first}", "clients.py", {
                "folder": str(self.folder), "seed": self.options.seed,
                "first": first, "raw_every": 20, "groups": self.groups,
                "count": min(share, self.options.clients + 1 - first),
                "conninfo": self.pair.conninfo("site"),
                "listeners": [(listener.name, listener.ws_url)
                              for listener in self.listeners]}))
            stack.callback(workers[-1].kill)
        return workers

    # ---- the course of a run --------------------------------------------

    def perform(self):
        surprises = self.faults.surprises
        self.faults.run(self.options.seconds)
        self.faults.heal()
        self.publishers.say("stop")
        if self.publishers.wait(60) != 0:
            surprises.append("the publishers did not end: "
                             + self.publishers.error_text())
        rows, heads = all_rows(self.pair.primary)
        surprises += self.settle(heads)
        for listener in self.listeners:
            try:
                listener.stop()
            except AssertionError as error:
                surprises.append(str(error))
        surprises += self.pair.crashes()
        with open(self.folder / "table.log", "w") as table:
            table.writelines(row_line(*row) + "\n" for row in rows)
        (self.folder / "heads.json").write_text(json.dumps(heads))
        self.findings = check_folder(self.folder)
        if self.faults.never():
            self.findings.add("fault that never happened",
                              ", ".join(self.faults.never()))
        for text in surprises:
            self.findings.add("something died or failed", text)

    def settle(self, heads):
        """Let everybody get to the end; what went wrong with that."""
        targets = {group: seq for group, (seq, _) in heads.items()}
        for worker in self.clients:
            worker.say("settle " + json.dumps(targets))
        for worker in self.clients:
            answer = worker.answer(SETTLE_S)
            if answer != "settled":
                yield f"{worker.name}: {answer}"
        for worker in self.clients:
            worker.say("stop")
            answer = worker.answer(30)
            if answer != "ended" or worker.wait(30) != 0:
                yield f"{worker.name}: {answer} {worker.error_text()}"


def perform(options):
    """One seed from beginning to end: what was found."""
    if options.doorbell == "any":
        options.doorbell = random.Random(options.seed).choice(DOORBELLS)
    print(f"seed {options.seed}, {options.seconds:g} s, doorbell "
          f"{options.doorbell}", flush=True)
    folder = options.report / f"seed-{options.seed}"
    with contextlib.ExitStack() as stack:
        run = Run(options, stack)
        for line in run.not_run:
            print(f"not run: {line}", flush=True)
        try:
            run.perform()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if run.findings is None or run.findings.total or \
                    options.keep_logs:
                keep_logs(run, folder)
        report.write(run, folder)
    return run.findings


def keep_logs(run, folder):
    for path in run.folder.iterdir():
        shutil.copy(path, folder)
    for node in run.pair.nodes:
        if node.log_path.exists():
            shutil.copy(node.log_path, folder / f"postgresql-{node.name}.log")


def main():
    end_on_signals()
    options = arguments()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1, 1000000)
    passed = failed = 0
    for seed in range(options.seed, options.seed + options.seeds):
        mine = argparse.Namespace(**{**vars(options), "seed": seed,
                                     "faults": list(options.faults)})
        sentences = report.sentences(mine, perform(mine))
        for good, sentence in sentences:
            print(f"{'ok' if good else 'not ok'} - torture: {sentence}")
            passed += good
            failed += not good
    print(f"report: {os.path.relpath(options.report)}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
