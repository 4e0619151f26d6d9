"""The cases of test vectors through SQL: sql.py [FILE]

Each case that the extension can see is put into tables like Django's, with
the case's secrets and options, and its credential is judged twice: by the
site (usher.validate_...) and as the listener asks (usher.authenticate).
Verdict, user and reason have to be the ones the case expects, and also the
ones the pure rooms give for it (test/vectors/run).

PostgreSQL runs under libfaketime, which freezes its clock at each case's
now.  Every case is a transaction that is rolled back, so that what backends
cache of tables and secrets is tested along the way.

Prints "ok - sentence" or "not ok - sentence" and "N passed, N failed" last.
"""
import collections
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys

import psycopg2

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import Cluster  # noqa: E402
from harness.process import Process, end_on_signals  # noqa: E402

LISTENER = "vectors_listener"
SITE = "vectors_site"
ID_TYPES = {"users": "bigint", "uuid_users": "uuid"}

# Layouts of knox_authtoken: up to 4.1, 4.2, from 5.0.
KNOX_TABLES = {
    "v3": "token_key varchar(8) NOT NULL, salt varchar(16) UNIQUE",
    "v4": "token_key varchar(8) NOT NULL",
    "v5": "token_key varchar(25) NOT NULL",
}

BACKENDS = ["django.contrib.auth.backends.ModelBackend"]

JWT_DEFAULTS = {
    "flavor": "simplejwt", "algorithm": "HS256", "key": "main",
    "audience": None, "issuer": None, "leeway": 0,
    "user_id_claim": "user_id", "user_id_field": "id",
    "token_type_claim": "token_type", "token_type": "access",
    "jti_claim": "jti", "check_revoke": False,
    "revoke_claim": "hash_password", "check_active": True,
}


class NotVisible(Exception):
    """SQL has nothing to say of this case."""


# ---- a server whose clock stands still ------------------------------------

def faketime_library():
    """The library to preload, wherever its package has put it."""
    files = subprocess.run(["dpkg", "-L", "libfaketime"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    for path in files.splitlines():
        if path.endswith("/libfaketime.so.1"):
            return path
    raise RuntimeError("package libfaketime holds no libfaketime.so.1")


class FrozenCluster(Cluster):
    """A cluster to whose server it is always the time set last."""

    def __init__(self):
        # Nothing here waits for a clock that will not move.
        super().__init__(tcp=False, settings={"autovacuum": "off"})
        self.clock = self.folder / "clock"

    def set_clock(self, now):
        """now is UTC, ISO 8601 with a final Z, also with a fraction."""
        text = now.replace("T", " ").rstrip("Z")
        fresh = self.folder / "clock.new"
        fresh.write_text(text + "\n")
        fresh.chmod(0o644)
        fresh.rename(self.clock)

    def start(self):
        environment = {
            **os.environ, "TZ": "UTC",
            "LD_PRELOAD": faketime_library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            # Read the file anew at each look at the clock.
            "FAKETIME_NO_CACHE": "1",
            # Waiting still has to end.
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.process = Process(
            "postgres", [self.bin / "postgres", "-D", self.data],
            self.log_path, parent_gone=signal.SIGINT, account=self.account,
            cwd="/", env=environment)
        self.process.wait_ready(self.is_ready)
        return self


# ---- a site ---------------------------------------------------------------

def schema_of(users_name):
    return f"vectors_{users_name}"


def create_site(connection, users_name, users):
    """Django's tables for one kind of users, in a schema of their own."""
    cursor = connection.cursor()
    id_type = ID_TYPES.get(users_name, "text")
    schema = schema_of(users_name)
    cursor.execute(f"""
        CREATE SCHEMA {schema} AUTHORIZATION {SITE};
        SET ROLE {SITE};
        SET search_path = {schema};
        CREATE TABLE auth_user (
            id {id_type} PRIMARY KEY,
            password varchar(128) NOT NULL,
            username varchar(150) NOT NULL UNIQUE,
            email varchar(254) NOT NULL,
            is_active boolean NOT NULL);
        CREATE TABLE authtoken_token (
            key varchar(40) PRIMARY KEY,
            created timestamptz NOT NULL,
            user_id {id_type} NOT NULL UNIQUE REFERENCES auth_user
                DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE django_session (
            session_key varchar(40) PRIMARY KEY,
            session_data text NOT NULL,
            expire_date timestamptz NOT NULL);
        CREATE INDEX ON django_session (expire_date)""")
    for version, columns in KNOX_TABLES.items():
        cursor.execute(f"""
            CREATE TABLE knox_{version} (
                digest varchar(128) PRIMARY KEY,
                created timestamptz NOT NULL,
                user_id {id_type} NOT NULL REFERENCES auth_user
                    DEFERRABLE INITIALLY DEFERRED,
                expiry timestamptz,
                {columns})""")
    for user in users:
        cursor.execute("INSERT INTO auth_user VALUES (%s, %s, %s, %s, %s)",
                       [user["id"], user["password"], user["username"],
                        user["email"], user["is_active"]])
    cursor.execute("RESET ROLE; RESET search_path")


class Judge:
    """Asks the extension about one case after another."""

    def __init__(self, vectors, connection):
        self.vectors = vectors
        self.cursor = connection.cursor()
        self.connection = connection

    def judge(self, case, credential):
        """(valid, reason, user_id) of the case; NotVisible where SQL has no
        part in it.  credential is what a header held, as bytes, or None."""
        ask = getattr(self, f"judge_{case['kind']}", None)
        if ask is None:
            raise NotVisible(f"{case['kind']} cases are not the extension's")
        try:
            return ask(case["input"], credential)
        finally:
            self.connection.rollback()

    # ---- kinds ----------------------------------------------------------

    def judge_session(self, given, _credential):
        self.attach(given, session_table="django_session")
        if given.get("row") is not None:
            self.insert("django_session", given["row"])
        self.set_secrets(given)
        self.call("set_session_options",
                  backends=given.get("authentication_backends", BACKENDS),
                  accept_pre_3_1=given.get("accept_pre_3_1", False),
                  store_class=given.get("session_store_class",
                                        "SessionStore"))
        return self.verdict("validate_django_session", "django_session",
                            given["cookie_value"])

    def judge_signed_cookie_session(self, given, _credential):
        self.attach(given, session_table="django_session")
        self.set_secrets(given)
        self.call("set_session_options",
                  backends=given.get("authentication_backends", BACKENDS),
                  signed_cookies=True,
                  cookie_age=f"{given['session_cookie_age']} s")
        return self.verdict("validate_django_session", "django_session",
                            given["cookie_value"])

    def judge_jwt(self, given, _credential):
        config = {**JWT_DEFAULTS,
                  **self.vectors.get("jwt_config_defaults", {}),
                  **given.get("config", {})}
        unknown = set(config) - set(JWT_DEFAULTS)
        if unknown:
            raise ValueError(f"unknown members of config: {unknown}")
        field = config["user_id_field"]
        self.attach(given, jwt_user_column=None if field == "id" else field)
        self.call("set_jwt_options", flavor=config["flavor"],
                  audience=config["audience"], issuer=config["issuer"],
                  leeway=f"{config['leeway']} s",
                  user_id_claim=config["user_id_claim"],
                  token_type_claim=config["token_type_claim"],
                  token_types=[config["token_type"]],
                  jti_claim=config["jti_claim"],
                  check_revoke_token=config["check_revoke"],
                  revoke_token_claim=config["revoke_claim"],
                  check_user_is_active=config["check_active"])
        key = self.vectors["keys"][config["key"]]
        try:
            self.call("add_jwt_key", name="main",
                      algorithm=config["algorithm"], key=key_argument(key))
        except psycopg2.errors.InvalidParameterValue:
            # No such key ever gets as far as a token.
            return False, "bad_key", None
        return self.verdict("validate_jwt", "jwt", given["token"])

    def judge_authtoken(self, given, credential):
        self.attach(given, token_table="authtoken_token")
        for row in given["rows"]:
            self.insert("authtoken_token", row)
        return self.verdict("validate_token", "token", text_of(credential))

    def judge_knox(self, given, credential):
        text = text_of(credential)
        table = f"knox_{given['format']}"
        self.attach(given, knox_table=table)
        self.call("set_knox_options", secure_hash_algorithm=given.get(
            "secure_hash_algorithm", "sha512"))
        for row in given["rows"]:
            self.insert(table, row)
        by_name = self.verdict("validate_knox", "knox", text)
        # A site with knox alone calls these tokens.
        as_token = self.verdict("validate_knox", "token", text)
        if as_token != by_name:
            raise AssertionError(f"as kind token {as_token}, "
                                 f"as kind knox {by_name}")
        return by_name

    def judge_group_name(self, given, _credential):
        self.attach(given)
        self.become(LISTENER)
        self.cursor.execute("SELECT reason FROM usher.admit('anonymous', '',"
                            " %s)", [given["name"]])
        if self.cursor.fetchone()[0] == "invalid_group":
            return False, "bad_name", None
        return True, None, None

    # ---- what they share ------------------------------------------------

    def become(self, role):
        self.cursor.execute(f"SET LOCAL ROLE {role}")

    def attach(self, given, **tables):
        schema = schema_of(given.get("users", "users"))
        self.become(SITE)
        self.cursor.execute(f"SET LOCAL search_path = {schema}")
        self.call("attach_django", **{"token_table": None,
                                      "session_table": None,
                                      "knox_table": None, **tables})

    def insert(self, table, row):
        """The members of the row that the table has columns for."""
        row = {name: value for name, value in row.items()
               if value is not None}
        self.cursor.execute(
            f"INSERT INTO {table} ({', '.join(row)})"
            f" VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))

    def set_secrets(self, given):
        keys = self.vectors["keys"]
        wanted = [keys[name] for name in
                  [given.get("secret_key", "main"),
                   *given.get("fallbacks", [])]]
        # Text where there is text: its bytes have to be the right ones too.
        as_text = all("text" in key for key in wanted)
        first, *others = (key_argument(key, as_text) for key in wanted)
        self.cursor.execute(
            "SELECT usher.set_secret_key(%s, %s::{}[])".format(
                "text" if as_text else "bytea"), [first, others])

    def call(self, function, **arguments):
        named = ", ".join(f"{name} => %s" + CASTS.get(name, "")
                          for name in arguments)
        self.cursor.execute(f"SELECT usher.{function}({named})",
                            list(arguments.values()))

    def verdict(self, function, kind, credential):
        if "\0" in credential:
            raise NotVisible("no text of PostgreSQL holds a NUL")
        columns = "valid, reason, user_id"
        self.become(SITE)
        self.cursor.execute(f"SELECT {columns} FROM usher.{function}(%s)",
                            [credential])
        by_site = self.cursor.fetchall()
        self.become(LISTENER)
        self.cursor.execute(
            f"SELECT {columns} FROM usher.authenticate(%s, %s)",
            [kind, credential])
        by_listener = self.cursor.fetchall()
        if by_site != by_listener or len(by_site) != 1:
            raise AssertionError(f"{function} says {by_site}, "
                                 f"authenticate says {by_listener}")
        return by_site[0]


# Where NULL or a list alone would not say which function is meant.
CASTS = {
    "backends": "::text[]", "token_types": "::text[]", "leeway": "::interval",
    "cookie_age": "::interval",
}


def key_argument(key, as_text=None):
    if as_text is None:
        as_text = "text" in key
    return key["text"] if as_text else bytes.fromhex(key["hex"])


def text_of(credential):
    if credential is None:
        raise NotVisible("the header holds no credential")
    return credential.decode()


# ---- comparing ------------------------------------------------------------

def pure_verdicts(path):
    """What the pure rooms say, case by case."""
    lines = subprocess.run([HERE / "run", "--verdicts", path], check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def difference(case, got, pure):
    """What is wrong with what SQL said, or None."""
    valid, reason, user_id = got
    expect = case["expect"]
    if valid != expect["valid"]:
        return f"expected {expect}, got {got}"
    if valid and user_id != expect.get("user_id"):
        return f"expected user {expect.get('user_id')}, got {user_id}"
    if not valid and "reason" in expect and reason not in (
            expect["reason"], *expect.get("also_ok", ())):
        return f"expected {expect['reason']}, got {reason}"
    of_pure = (pure.get("valid"), pure.get("reason"),
               bytes.fromhex(pure["answer_hex"]).decode()
               if pure["answer_hex"] else None)
    if tuple(got) != of_pure:
        return f"the pure rooms say {of_pure}, got {got}"
    return None


def main():
    end_on_signals()
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1
                        else HERE / "vectors.json")
    vectors = json.loads(path.read_text())
    pure = pure_verdicts(path)
    cases = list(zip(vectors["cases"], pure, strict=True))
    passed = failed = 0
    unseen = collections.Counter()

    cluster = FrozenCluster()
    cluster.set_clock(vectors["now"])
    with cluster:
        with cluster.connect() as connection:
            cursor = connection.cursor()
            cursor.execute(f"""
                CREATE EXTENSION usher;
                CREATE ROLE {SITE};
                CREATE ROLE {LISTENER};
                GRANT usher_app TO {SITE};
                GRANT usher_listener TO {LISTENER}""")
            for name in ID_TYPES:
                create_site(connection, name, vectors[name])
        connection = cluster.connect(autocommit=False)
        judge = Judge(vectors, connection)
        clock = None
        for case, said in cases:
            now = case.get("now", vectors["now"])
            if now != clock:
                cluster.set_clock(now)
                check_clock(connection, now)
                clock = now
            credential = said["credential_hex"]
            credential = bytes.fromhex(credential) if credential is not None \
                else None
            try:
                got = judge.judge(case, credential)
                wrong = difference(case, got, said)
            except NotVisible as reason:
                unseen[str(reason)] += 1
                continue
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}".strip()
            name = f"sql: {case['kind']} {case['name']}"
            if wrong:
                failed += 1
                print(f"not ok - {name}: {wrong}")
            else:
                passed += 1
                print(f"ok - {name}")
        connection.close()
    print(f"# {sum(unseen.values())} cases are not seen by SQL: "
          + "; ".join(f"{count}: {reason}"
                      for reason, count in sorted(unseen.items())))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def check_clock(connection, now):
    """Cases about time prove nothing unless the clock is where it should."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() = %s::timestamptz, "
                       "clock_timestamp()", [now])
        right, shown = cursor.fetchone()
    connection.rollback()
    if not right:
        raise RuntimeError(f"the clock shows {shown}, not {now}")


if __name__ == "__main__":
    sys.exit(main())
