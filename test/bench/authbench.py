"""Authentications a second by kind of credential (for bench.py).

A site's tables as Django's and DRF's own migrations make them, with 20,000
users who each have a token, a Django session, a session key, a knox token and
a JWT; made by the real libraries, except knox, which Debian does not have.
Every kind is asked in turn, round after round, by authload; beside them, as
the floor, a prepared join of the token and the user table, which looks up as
much and judges nothing, with the same rights as the extension's functions.
A figure is the middle one of its rounds.

Every call is a transaction of its own, as the listener sends them, except in
the column that says otherwise.
"""
import base64
import datetime
import hashlib
import json
import random

from harness.cluster import SUPERUSER
from harness.process import REPO, run, scratch_dir

DATABASE = "authbench"
USERS = 20000
# Signing takes a thousand times as long as looking up.
SIGNED_BY_KEY = 2000
SECRET_KEY = "the bench's own secret key, of fifty characters or so"
FAR = datetime.timedelta(days=1)

# As knox 5.0 has it.
KNOX_TABLE = """
CREATE TABLE knox_authtoken (
    digest varchar(128) PRIMARY KEY, created timestamptz NOT NULL,
    user_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
    expiry timestamptz, token_key varchar(25) NOT NULL);
CREATE INDEX ON knox_authtoken (digest varchar_pattern_ops);
CREATE INDEX ON knox_authtoken (user_id);
CREATE INDEX ON knox_authtoken (token_key);
CREATE INDEX ON knox_authtoken (token_key varchar_pattern_ops);
"""

USHER = """
CREATE EXTENSION usher;
SELECT usher.attach_django();
SELECT usher.set_category('bench', join => 'authenticated');
CREATE ROLE authbench_site LOGIN IN ROLE usher_app, usher_listener;
CREATE ROLE authbench_floor LOGIN IN ROLE usher_owner;
"""

IDENTITY = """SELECT valid, reason, user_id, username, kind, credential_id,
    issuer_id, expires_at FROM usher.{}($1)"""
FLOOR = """SELECT u.is_active, NULL, u.id::text, u.username
    FROM authtoken_token t JOIN auth_user u ON u.id = t.user_id
    WHERE t.key = $1"""
ADMIT = """SELECT valid, reason, user_id, username, kind, credential_id,
    issuer_id, expires_in_ms, may_join, may_send, plain
    FROM usher.admit('token', $1, 'bench_1')"""

# Name, statement, file of credentials, aim on one connection.
KINDS = [
    ("floor: prepared join of token and user", FLOOR, "token", None),
    ("DRF token", IDENTITY.format("validate_token"), "token", 60000),
    ("the same with admission to a group", ADMIT, "token", None),
    ("session key of ours", IDENTITY.format("validate_session"), "session",
     None),
    ("Django session", IDENTITY.format("validate_django_session"),
     "django_session", 20000),
    ("knox token", IDENTITY.format("validate_knox"), "knox", None),
    ("JWT, HS256", IDENTITY.format("validate_jwt"), "HS256", 30000),
    ("JWT, RS256 (2048 bits)", IDENTITY.format("validate_jwt"), "RS256", None),
    ("JWT, ES256", IDENTITY.format("validate_jwt"), "ES256", None),
]

# Connections, and calls under one Sync.
MODES = {"one": (1, 1), "two": (2, 1), "batch": (1, 32)}


# ---- a site -----------------------------------------------------------------

def configure_django(cluster):
    import django
    from django.conf import settings
    settings.configure(
        SECRET_KEY=SECRET_KEY, USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            "django.contrib.auth", "django.contrib.contenttypes",
            "django.contrib.sessions", "rest_framework",
            "rest_framework.authtoken"],
        DATABASES={"default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": DATABASE,
            "USER": SUPERUSER, "HOST": str(cluster.folder),
            "PORT": str(cluster.port)}},
        SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": FAR})
    django.setup()


def random_password(numbers):
    """Of the form that Django's PBKDF2 hasher stores, which is slow."""
    def text(n):
        return base64.b64encode(numbers.randbytes(n)).decode()
    return f"pbkdf2_sha256$260000${text(16)[:22]}${text(32)}"


def create_users(numbers):
    from django.contrib.auth.models import User
    users = [User(username=f"user{i}", password=random_password(numbers))
             for i in range(USERS)]
    return User.objects.bulk_create(users, batch_size=2000)


def create_tokens(users):
    from rest_framework.authtoken.models import Token
    tokens = [Token(user=user, key=Token.generate_key()) for user in users]
    Token.objects.bulk_create(tokens, batch_size=2000)
    return [token.key for token in tokens]


def create_django_sessions(users, numbers):
    from django.contrib.auth import (BACKEND_SESSION_KEY, HASH_SESSION_KEY,
                                     SESSION_KEY)
    from django.contrib.sessions.backends.base import VALID_KEY_CHARS
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone
    store = SessionStore()
    expiry = timezone.now() + FAR
    rows = [Session(
        session_key="".join(numbers.choices(VALID_KEY_CHARS, k=32)),
        session_data=store.encode({
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash()}),
        expire_date=expiry) for user in users]
    Session.objects.bulk_create(rows, batch_size=2000)
    return [row.session_key for row in rows]


def create_knox(cluster, users, numbers):
    """As knox 5.0 with its default, SHA-512."""
    connection = cluster.connect(DATABASE)
    tokens = []
    with connection.cursor() as cursor:
        cursor.execute(KNOX_TABLE)
        for user in users:
            token = numbers.randbytes(32).hex()
            digest = hashlib.sha512(token.encode()).hexdigest()
            cursor.execute(
                "INSERT INTO knox_authtoken VALUES (%s, now(), %s, NULL, %s)",
                [digest, user.pk, token[:15]])
            tokens.append(token)
    connection.close()
    return tokens


def create_key_pairs():
    """Algorithm -> a private key, and the public one as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    keys = {"RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1())}
    return {algorithm: (key, key.public_key().public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo).decode())
            for algorithm, key in keys.items()}


def create_jwts(users, algorithm, signing_key):
    from rest_framework_simplejwt.backends import TokenBackend
    from rest_framework_simplejwt.tokens import AccessToken
    backend = TokenBackend(algorithm, signing_key)
    if algorithm != "HS256":
        users = users[:SIGNED_BY_KEY]
    return [backend.encode(AccessToken.for_user(user).payload)
            for user in users]


def create_site(cluster, folder):
    """Everything; the credentials go to files named like their kinds."""
    from django.core.management import call_command
    from django.db import connection as django_connection
    cluster.create_database(DATABASE)
    configure_django(cluster)
    call_command("migrate", verbosity=0)
    numbers = random.Random(3)
    users = create_users(numbers)
    numbers.shuffle(users)  # not in the order they lie in the table
    credentials = {"token": create_tokens(users),
                   "django_session": create_django_sessions(users, numbers),
                   "knox": create_knox(cluster, users, numbers),
                   "HS256": create_jwts(users, "HS256", SECRET_KEY)}
    django_connection.close()

    for statement in USHER.split(";\n"):
        cluster.psql(statement, DATABASE)
    connection = cluster.connect(DATABASE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT usher.set_secret_key(%s);"
                       "SELECT usher.add_jwt_key('HS256', 'HS256')",
                       [SECRET_KEY])
        for algorithm, (private, public) in create_key_pairs().items():
            credentials[algorithm] = create_jwts(users, algorithm, private)
            cursor.execute("SELECT usher.add_jwt_key(%s, %s, %s)",
                           [algorithm, algorithm, public])
        cursor.execute("SELECT (usher.issue_session_for(id::text, '1 h'))"
                       ".session_key FROM auth_user")
        credentials["session"] = [key for key, in cursor]
        cursor.execute("VACUUM ANALYZE")
    connection.close()

    for kind, values in credentials.items():
        numbers.shuffle(values)
        (folder / kind).write_text("\n".join(values) + "\n")


# ---- measuring --------------------------------------------------------------

def load(cluster, folder, kind, mode, seconds):
    name, statement, file, aim = kind
    connections, batch = MODES[mode]
    role = "authbench_floor" if statement is FLOOR else "authbench_site"
    return json.loads(run(
        [REPO / "build/bench/authload",
         "--conninfo", cluster.conninfo(DATABASE, role),
         "--statement", statement, "--file", folder / file,
         "--connections", connections, "--batch", batch,
         "--seconds", seconds]))


def measure(cluster, folder, rounds, seconds):
    """(kind's name, mode) -> the middle one of its runs."""
    runs = {}
    for _ in range(rounds):
        for mode in MODES:
            for kind in KINDS:
                runs.setdefault((kind[0], mode), []).append(
                    load(cluster, folder, kind, mode, seconds))
    return {key: sorted(found, key=lambda run: run["per_second"])[rounds // 2]
            for key, found in runs.items()}


def authentications(cluster, rounds, seconds):
    """Prepare, measure, print."""
    folder = scratch_dir("usher-authbench-")
    create_site(cluster, folder)
    results = measure(cluster, folder, rounds, seconds)
    floor = results[KINDS[0][0], "one"]["per_second"]
    print("| authentications per second | one connection | of the floor "
          "| server's CPU each | two connections | one, 32 calls a Sync "
          "| aim on one | met |")
    print("|---|---|---|---|---|---|---|---|")
    for name, _, _, aim in KINDS:
        one, two, batch = (results[name, mode] for mode in MODES)
        rate = one["per_second"]
        print(f"| {name} | {rate:,.0f} | {rate / floor:.2f} "
              f"| {one['server_cpu_us']:.1f} us | {two['per_second']:,.0f} "
              f"| {batch['per_second']:,.0f} "
              + (f"| {aim:,} | {'yes' if rate >= aim else '**no**'} |"
                 if aim else "| | |"))
