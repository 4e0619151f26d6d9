"""What starts and ends the things that demo, end-to-end tests and bench need.

Cluster (cluster.py)   a private PostgreSQL that has the extension
Site (django.py)       the Django site of test/site on a database of it
Usherd (listener.py)   the listener
Client (client.py)     a blocking WebSocket client on Debian's websockets; not
                       imported here, since the demo does without it
Raw (raw.py)           a socket that may say anything, for bad input

Everything runs from a scratch folder of its own, listens on loopback only,
and is ended by pid when this program ends, however it ends (process.py).
Only the standard library and Debian's python3-* packages are used.
"""
from .cluster import Cluster
from .django import Site
from .listener import Usherd
from .process import REPO, eventually, free_port, scratch_dir
from .raw import Frame, Raw

__all__ = ["Cluster", "Frame", "Raw", "REPO", "Site", "Usherd", "eventually",
           "free_port", "scratch_dir"]
