"""A network namespace for one listener, with two cables that can be pulled.

The listener is reached by its clients over one pair of veth interfaces and
reaches PostgreSQL over another, so that each can fail alone.  Needs root.
Addresses are of 198.18.0.0/15, which RFC 2544 keeps for tests like this.
"""
import atexit
import os
import re
import subprocess

from harness.process import run

PREFIX = "usht"
CABLES = {"database": ("d", 1), "clients": ("c", 5)}


def why_not():
    """Why this machine cannot have one; None if it can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    try:
        run(["ip", "netns", "add", f"{PREFIX}probe{os.getpid()}"])
        run(["ip", "netns", "del", f"{PREFIX}probe{os.getpid()}"])
    except (OSError, RuntimeError) as error:
        return str(error).strip().splitlines()[-1]
    return None


class Network:
    """name, and for each cable the two ends' interfaces and addresses."""

    def __init__(self):
        remove_what_dead_runs_left()
        self.name = f"{PREFIX}{os.getpid()}"
        self.subnet = free_subnet()
        atexit.register(self.destroy)
        run(["ip", "netns", "add", self.name])
        self.inside("ip", "link", "set", "lo", "up")
        for cable, (letter, first) in CABLES.items():
            near, far = f"{self.name}{letter}0", f"{self.name}{letter}1"
            run(["ip", "link", "add", near, "type", "veth", "peer", "name",
                 far, "netns", self.name])
            run(["ip", "addr", "add", f"{self.subnet}.{first}/30", "dev",
                 near])
            self.inside("ip", "addr", "add", f"{self.subnet}.{first + 1}/30",
                        "dev", far)
            run(["ip", "link", "set", near, "up"])
            self.restore(cable)

    @property
    def database_host(self):
        """Where the listener finds PostgreSQL."""
        return f"{self.subnet}.{CABLES['database'][1]}"

    @property
    def network_of_listener(self):
        return f"{self.subnet}.0/29"

    @property
    def listener_host(self):
        """Where clients find the listener."""
        return f"{self.subnet}.{CABLES['clients'][1] + 1}"

    def prefix(self):
        """What makes a command run inside; it becomes that command, so its
        pid is the listener's."""
        return ["ip", "netns", "exec", self.name]

    def inside(self, *command):
        run([*self.prefix(), *command])

    def cut(self, cable):
        # The far end: were it the near one, what is meant for the listener
        # would leave this machine by its default route.
        self._set(cable, "down")

    def restore(self, cable):
        self._set(cable, "up")

    def _set(self, cable, state):
        self.inside("ip", "link", "set",
                    f"{self.name}{CABLES[cable][0]}1", state)

    def destroy(self):
        """Safe to call more than once, and after half a start."""
        for letter, _ in CABLES.values():
            quietly("ip", "link", "del", f"{self.name}{letter}0")
        quietly("ip", "netns", "del", self.name)
        atexit.unregister(self.destroy)


def quietly(*command):
    subprocess.run(command, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def free_subnet():
    taken = run(["ip", "-o", "-4", "addr"])
    for last in range(256):
        subnet = f"198.18.{(os.getpid() + last) % 256}"
        if f" {subnet}." not in taken:
            return subnet
    raise OSError("no free network in 198.18.0.0/16")


def remove_what_dead_runs_left():
    """A run that was killed -9 could not clean up; its name says its pid."""
    for name in re.findall(rf"^{PREFIX}(?:probe)?\d+", run(
            ["ip", "netns", "list"]), re.MULTILINE):
        pid = int(re.sub(r"\D", "", name))
        if not os.path.exists(f"/proc/{pid}"):
            for letter, _ in CABLES.values():
                quietly("ip", "link", "del", f"{name}{letter}0")
            quietly("ip", "netns", "del", name)
