"""What publishers and clients write down, and how a payload is recognised.

Logs are lines of words, so that grep and awk can read them.  Publishers:

    <s> i <t> <n> <type> <group,group> <digest>   will broadcast message n
    <s> v <t> <n>                 undone by ROLLBACK TO SAVEPOINT
    <s> a <t>                     COMMIT was acknowledged
    <s> b <t>                     rolled back for certain
    <s> u <t>                     the connection was lost in COMMIT

Clients, each line about one connection:

    <s> <client> <conn> o v1|raw <listener>       connected
    <s> <client> <conn> s <group> <seq> <tag>     subscribes, since ("- -": no)
    <s> <client> <conn> S <group> <seq> <tag> true|false|-   subscribed
    <s> <client> <conn> m <group> <seq> <tag> <digest> <p> <n>
    <s> <client> <conn> r <group> <seq> <tag>     reset
    <s> <client> <conn> u <group>                 unsubscribes
    <s> <client> <conn> U <group>                 has left
    <s> <client> <conn> e <group> <code> <reason> error
    <s> <client> <conn> x <code> <reason>         closed

s is Unix time.  Raw connections are told neither seq nor tag: "-" in m; their
"S" is written at the handshake's end, with what they gave as since, and "-".
The table, once everything has come to rest:

    <group> <seq> <tag> <type> <digest> <digest as raw> <p> <n> <xid>

A raw connection cannot tell JSON from text, so there the digest is that of
the frame, be it text (t) or binary (b).
"""
import base64
import hashlib
import json
import time

NO_TAG = "0" * 16

# Letters that JSON, UTF-8 and SQL each have a rule of their own for.
LETTERS = "abcdefgh \"\\/<&\n\té€😀"


def digest(kind, data):
    """Of a payload: a JSON value (j), a string (t) or bytes (b)."""
    if kind == "j":
        data = json.dumps(data, sort_keys=True, separators=(",", ":"))
    if isinstance(data, str):
        data = data.encode()
    return hashlib.blake2b(kind.encode() + data, digest_size=8).hexdigest()


def payload(kind, publisher, number, transaction, filler=""):
    """(what is broadcast, its digest).  All kinds hold the same JSON, so
    whoever receives one can tell which it is."""
    value = {"p": publisher, "n": number, "t": transaction}
    if filler:
        value["x"] = filler
    data = value if kind == "j" else json.dumps(value, ensure_ascii=False)
    if kind == "b":
        data = data.encode()
    return data, digest(kind, data)


def identify(kind, data):
    """(publisher, number) of a payload, ("-", "-") if it is none of ours."""
    try:
        value = data if kind == "j" else json.loads(data)
        return int(value["p"]), int(value["n"])
    except (ValueError, KeyError, TypeError):
        return "-", "-"


def from_v1(message):
    """(kind, data) of a `message` of usher.v1."""
    data, form = message.get("data"), message.get("format")
    if form == "text":
        return "t", data
    if form == "binary":
        return "b", base64.b64decode(data, validate=True)
    return "j", data


def row_line(group, seq, tag, kind, content, xid):
    """A row of usher.message, as the table's log has it."""
    data = {"j": lambda: json.loads(content), "t": content.decode,
            "b": lambda: content}[kind]()
    p, n = identify(kind, data)
    raw = digest("b" if kind == "b" else "t", content)
    return (f"{group} {seq} {tag} {kind} {digest(kind, data)} {raw}"
            f" {p} {n} {xid}")


class Log:
    """A file of such lines."""

    def __init__(self, path):
        self.file = open(path, "w", buffering=1 << 16)

    def write(self, *words):
        self.file.write(f"{time.time():.3f} " + " ".join(map(str, words))
                        + "\n")

    def flush(self):
        self.file.flush()

    def close(self):
        self.file.close()
