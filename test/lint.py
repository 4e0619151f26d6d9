"""The rules of the house that no compiler checks.

Each rule is a sentence; it prints "ok - sentence" or "not ok - sentence" with
the places that break it.  The last line is "N passed, N failed".
"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent

# Rooms of the listener, from the foundations up.  A file includes only headers
# of rooms named before its own.
LISTENER = """common log hashing digest frame wheel http websocket cookie origin
credentials position notice inbox plain revocations failure limits outbox hub configtext
config refusal protocol
handshake loop tls transport acceptor
pglink answers calls feed lines stream encoding roster client allowance principal fanout replay durable inbound raw request subscription conversation
response pages exchange admission reception recheck report server main""".split()

# Rooms that are the inside of another one.
INSIDE = {"configtable": "config", "questions": "calls", "seat": "client",
          "inflight": "client", "resume": "client"}

# Each foreign library has one room (two for OpenSSL: digests and TLS).
FOREIGN = {
    "libwebsockets.h": {"transport.c"},
    "uv.h": {"loop.c"},
    "libpq-fe.h": {"pglink.c"},
    "openssl/": {"digest.c", "tls.c", "crypto.c", "transport.c"},
    "ini.h": {"config.c"},
    "uthash.h": {"hashing.h", "hub.h"},
}

# Files without postgres.h, so that they can be tested without a server.
PURE = """session_key base64url crypto group user_key inflate json
django_session jwt knox""".split()

MAX_LINES = 700

failures = 0
passes = 0


def rule(sentence, places):
    """Report one rule and the places that break it."""
    global failures, passes
    places = list(places)
    if places:
        failures += 1
        print(f"not ok - {sentence}")
        for place in places:
            print(f"    {place}")
    else:
        passes += 1
        print(f"ok - {sentence}")


def sources(*patterns):
    for pattern in patterns:
        yield from sorted(TOP.glob(pattern))


def name(path):
    return str(path.relative_to(TOP))


def includes(path, quotes='["<]'):
    return re.findall(rf'^#\s*include\s+{quotes}([^">]+)[">]',
                      path.read_text(), re.MULTILINE)


def upward_includes():
    for path in sources("listener/*.[ch]"):
        stem = INSIDE.get(path.stem, path.stem)
        if stem not in LISTENER:
            yield f"{name(path)}: not in the list of rooms in test/lint.py"
            continue
        own = LISTENER.index(stem)
        for header in includes(path, '"'):
            room = header.removesuffix(".h")
            room = INSIDE.get(room, room)
            if room in LISTENER and LISTENER.index(room) > own:
                yield f"{name(path)} includes {header}"


def foreign_includes():
    for path in sources("listener/*.[ch]", "extension/*.[ch]"):
        for header in includes(path):
            for library, rooms in FOREIGN.items():
                if header.startswith(library) and path.name not in rooms:
                    yield f"{name(path)} includes {header}"


def impure():
    for room in PURE:
        for path in sources(f"extension/{room}.[ch]"):
            if "postgres.h" in includes(path):
                yield name(path)


def version_tests():
    for path in sources("extension/*.[ch]"):
        if path.name != "compat.h" and "PG_VERSION_NUM" in path.read_text():
            yield name(path)


def too_long():
    for path in sources("listener/*.[ch]", "extension/*.[ch]",
                        "extension/*.sql", "test/**/*.[ch]", "test/**/*.py"):
        text = path.read_text()
        lines = text.count("\n")
        if lines > MAX_LINES and not re.search(
                r"\b[Ll]ong(er)?\b[^.]*because", text[:2500]):
            yield f"{name(path)}: {lines} lines"


def definer_functions():
    """SECURITY DEFINER without a pinned search_path."""
    for path in sources("extension/*.sql"):
        text = re.sub(r"--[^\n]*", "", path.read_text())
        for statement in re.findall(
                r"CREATE (?:OR REPLACE )?FUNCTION.*?;", text, re.DOTALL):
            if "SECURITY DEFINER" in statement and not re.search(
                    r"SET search_path\s*(=|TO)\s*pg_catalog, pg_temp",
                    statement):
                yield f"{name(path)}: {statement.split('(')[0]}"


def misformatted():
    files = [str(p) for p in sources("listener/*.[ch]", "extension/*.[ch]",
                                     "test/unit/*.[ch]", "test/fuzz/*.[ch]",
                                     "test/vectors/*.[ch]",
                                     "test/bench/*.[ch]")]
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *files],
                            capture_output=True, text=True)
    seen = set()
    for line in result.stderr.splitlines():
        match = re.match(r"(\S+?):\d+:\d+: error", line)
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            yield name(pathlib.Path(match.group(1)))
    if result.returncode != 0 and not seen:
        yield result.stderr.strip()[:200]


def left_open():
    words = re.compile(r"\b(TODO|FIXME|HACK)\b", re.IGNORECASE)
    for path in sources("listener/*.[ch]", "extension/*.[ch]",
                        "extension/*.sql", "test/**/*.py", "test/**/*.[ch]"):
        if path.name == "lint.py":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if words.search(line):
                yield f"{name(path)}:{number}: {line.strip()[:70]}"


def undocumented():
    """Settings, SQL functions and close codes that README does not name."""
    readme = (TOP / "README.md").read_text()
    settings = re.findall(r"^\t[A-Z]+_SETTING\((\w+),",
                          (TOP / "listener/configtable.c").read_text(),
                          re.MULTILINE)
    script = (TOP / "extension/usher--1.0.sql").read_text()
    functions = [function
                 for grant in re.findall(r"GRANT EXECUTE ON FUNCTION(.*?);",
                                         script, re.DOTALL)
                 for function in re.findall(
                     r"usher\.(\w+)\(", grant.split("-- what these")[0])]
    codes = re.findall(r"^\tWS_CLOSE_\w+ = (4\d\d\d),",
                       (TOP / "listener/websocket.h").read_text(),
                       re.MULTILINE)
    if not (settings and functions and codes):
        yield "the rule itself finds nothing to look for"
    for word in sorted({*settings, *functions, *codes}):
        if not re.search(rf"\b{word}\b", readme):
            yield word


def main():
    rule("README names every setting, granted function and close code",
         undocumented())
    rule("no listener room includes a header from up the stream",
         upward_includes())
    rule("every foreign library is included in its own room only",
         foreign_includes())
    rule("the extension's pure rooms include no postgres.h", impure())
    rule("only compat.h asks for PostgreSQL's version", version_tests())
    rule(f"no file has more than {MAX_LINES} lines without a reason at its "
         "head", too_long())
    rule("every SECURITY DEFINER function pins its search_path",
         definer_functions())
    rule("every C file is formatted by .clang-format", misformatted())
    rule("no file leaves work open", left_open())
    print(f"{passes} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
