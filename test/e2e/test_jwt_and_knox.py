"""JSON Web Tokens as djangorestframework-simplejwt issues them, and tokens of
django-rest-knox."""
import base64
import datetime
import hashlib
import json
import secrets
import time

import pytest
from harness.client import Refused


@pytest.fixture
def pair(site, user):
    """What simplejwt's own view answers: access and refresh."""
    return site.browser().post_json("/api/jwt/", {
        "username": user.username, "password": user.username})


@pytest.fixture
def sliding(site, user):
    return site.browser().post_json("/api/jwt/sliding/", {
        "username": user.username, "password": user.username})["token"]


def bearer(token, keyword="Bearer"):
    return {"Authorization": f"{keyword} {token}"}


def as_subprotocol(text):
    encoded = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return f"usher.auth.{encoded}"


def short_access_token(user, seconds):
    from rest_framework_simplejwt.tokens import AccessToken
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=datetime.timedelta(seconds=seconds))
    return str(token)


def refused_for(usherd, group, **kwargs):
    with pytest.raises(Refused) as refused:
        usherd.connect(group, **kwargs)
    assert refused.value.status == 401
    return refused.value.json()["reason"]


# ---- simplejwt ------------------------------------------------------------

def test_an_access_token_of_simplejwts_view_opens_a_socket(
        pair, usherd, group, sql, user):
    with usherd.connect(group, headers=bearer(pair["access"])) as client:
        sql(f"SELECT usher.broadcast('{group}', '1')")
        assert client.receive() == "1"
    assert f"as user {user.pk} ({user.username}) by jwt" in usherd.log()


def test_an_access_token_opens_a_socket_by_cookie(pair, usherd, group):
    with usherd.connect_by_cookie(group, pair["access"], "JWT") as client:
        client.ping()


def test_an_access_token_opens_a_socket_by_subprotocol(pair, usherd, group):
    for text in (pair["access"], f"Bearer {pair['access']}"):
        with usherd.connect(group, subprotocols=[
                "usher.raw", as_subprotocol(text)]) as client:
            assert client.protocol.subprotocol == "usher.raw"
            client.ping()


def test_a_refresh_token_opens_nothing(pair, usherd, group):
    assert refused_for(usherd, group, headers=bearer(pair["refresh"])) == \
        "wrong_token_type"


def test_a_token_with_a_changed_signature_opens_nothing(pair, usherd, group):
    head, payload, signature = pair["access"].split(".")
    changed = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert refused_for(usherd, group, headers=bearer(
        f"{head}.{payload}.{changed}")) == "bad_signature"


def test_simplejwts_keyword_is_compared_with_case(pair, usherd, group):
    """As simplejwt has it, this is no attempt: somebody without credential."""
    assert refused_for(usherd, group, headers=bearer(
        pair["access"], "bearer")) == "no_credentials"


def test_the_keyword_jwt_of_djangorestframework_jwt_is_known(
        pair, usherd, group):
    for keyword in ("JWT", "jwt"):
        with usherd.connect(group, headers=bearer(pair["access"],
                                                  keyword)) as client:
            client.ping()


def test_a_socket_closes_4419_when_its_token_expires(user, usherd, group):
    token = short_access_token(user, 2)
    with usherd.connect(group, headers=bearer(token)) as client:
        assert client.wait_close(5) == (4419, "expired")
    assert refused_for(usherd, group, headers=bearer(token)) == "expired"


def test_a_token_of_11_kb_opens_and_is_closed_like_any_other(
        user, usherd, group, sql, db):
    """Its credential id holds all of it, so that it can be asked about."""
    from rest_framework_simplejwt.tokens import AccessToken
    token = AccessToken.for_user(user)
    token["rights"] = secrets.token_hex(4000)
    assert 10900 < len(str(token)) < 11100
    with usherd.connect(group, headers=bearer(token)) as client, \
            usherd.connect_by_cookie(group, str(token), "JWT") as other:
        db("SELECT usher.set_jwt_options(token_types => '{access,sliding}')")
        sql(f"SELECT usher.broadcast('{group}', '1')")
        assert client.receive() == other.receive() == "1"
        user.is_active = False
        user.save()
        assert client.wait_close() == (4410, "revoked")
        assert other.wait_close() == (4410, "revoked")


def test_a_refreshed_token_opens_again(site, pair, usherd, group):
    access = site.browser().post_json(
        "/api/jwt/refresh/", {"refresh": pair["refresh"]})["access"]
    assert access != pair["access"]
    with usherd.connect(group, headers=bearer(access)) as client:
        client.ping()


def test_a_deactivated_user_loses_his_jwt_socket(pair, user, usherd, group):
    with usherd.connect(group, headers=bearer(pair["access"])) as client:
        user.is_active = False
        user.save()
        assert client.wait_close() == (4410, "revoked")
    assert refused_for(usherd, group, headers=bearer(pair["access"])) == \
        "inactive_user"


def test_blacklisting_a_refresh_token_leaves_its_access_token_alone(
        site, pair, usherd, group):
    """simplejwt does not look access tokens up either."""
    with usherd.connect(group, headers=bearer(pair["access"])) as client:
        site.browser().post_json("/api/jwt/blacklist/",
                                 {"refresh": pair["refresh"]})
        client.ping()
    with usherd.connect(group, headers=bearer(pair["access"])) as client:
        client.ping()


def test_blacklisting_a_sliding_token_closes_its_socket(
        sliding, pair, usherd, group):
    from rest_framework_simplejwt.tokens import SlidingToken
    with usherd.connect(group, headers=bearer(sliding)) as client, \
            usherd.connect(group, headers=bearer(pair["access"])) as other:
        SlidingToken(sliding).blacklist()
        assert client.wait_close() == (4410, "revoked")
        other.ping()
    assert refused_for(usherd, group, headers=bearer(sliding)) == \
        "blacklisted"


def exchanged(usherd, headers):
    """The session key that POST /session gives, and how long it is good."""
    answer = usherd.get("/session", "POST", headers)
    assert answer.status == 200, answer
    given = json.loads(answer.body)
    return given["session_key"], given["expires_in"]


def test_a_session_key_for_a_jwt_dies_when_that_is_blacklisted(
        sliding, usherd, group):
    from rest_framework_simplejwt.tokens import SlidingToken
    key, _ = exchanged(usherd, bearer(sliding))
    with usherd.connect(group, session_key=key) as client:
        SlidingToken(sliding).blacklist()
        assert client.wait_close() == (4410, "revoked")
    assert refused_for(usherd, group, session_key=key) == "unknown_session"


def test_a_session_key_for_a_jwt_is_good_no_longer_than_that(
        user, usherd, group):
    key, seconds = exchanged(usherd, bearer(short_access_token(user, 3)))
    assert seconds <= 3
    with usherd.connect(group, session_key=key) as client:
        assert client.wait_close(6) == (4419, "expired")


def test_a_token_signed_with_another_key_opens_nothing(user, usherd, group):
    import jwt
    from rest_framework_simplejwt.tokens import AccessToken
    payload = AccessToken.for_user(user).payload
    assert refused_for(usherd, group, headers=bearer(
        jwt.encode(payload, "another key", "HS256"))) == "bad_signature"


def test_a_token_that_names_no_algorithm_opens_nothing(user, usherd, group):
    import jwt
    from rest_framework_simplejwt.tokens import AccessToken
    payload = AccessToken.for_user(user).payload
    assert refused_for(usherd, group, headers=bearer(
        jwt.encode(payload, None, "none"))) == "bad_algorithm"


# ---- long ones ------------------------------------------------------------

# What extension/jwt.h takes at most.
LONGEST = 16384


def access_token_of(user, length):
    """An access token with a claim that makes it so long."""
    from rest_framework_simplejwt.tokens import AccessToken
    token = AccessToken.for_user(user)
    token["roles"] = "x" * (3 * length // 4)
    while len(str(token)) > length:
        token["roles"] = token["roles"][:-1]
    assert len(str(token)) == length
    return str(token)


@pytest.fixture(scope="module")
def roomy(site):
    """A listener whose request heads take any JWT."""
    from harness import Usherd
    with Usherd(site.conninfo(), max_header_bytes="64kB",
                log_level="debug") as usherd:
        yield usherd


def by_each_carrier(usherd, token):
    """What connect() needs for each carrier that a JWT may have."""
    return [{"headers": bearer(token)},
            {"headers": {"Cookie": f"JWT={token}"}, "origin": usherd.origin},
            {"subprotocols": ["usher.raw", as_subprotocol(token)]}]


def test_a_jwt_of_12000_bytes_connects_by_every_carrier(usherd, user, group):
    for how in by_each_carrier(usherd, access_token_of(user, 12000)):
        with usherd.connect(group, **how) as client:
            client.ping()


def test_a_jwt_too_long_for_the_head_is_told_so(usherd, user, group):
    for how in by_each_carrier(usherd, access_token_of(user, LONGEST)):
        how.pop("origin", None)
        with pytest.raises(Refused) as refused:
            usherd.connect(group, **how)
        assert refused.value.status == 431
        assert refused.value.json()["reason"] == "header_too_large"


def test_the_longest_jwt_connects_where_the_head_may_be_longer(
        roomy, user, group):
    for how in by_each_carrier(roomy, access_token_of(user, LONGEST)):
        with roomy.connect(group, **how) as client:
            client.ping()


def test_a_jwt_longer_than_the_longest_is_refused_with_a_reason(
        roomy, user, group):
    token = access_token_of(user, LONGEST + 1)
    by_header, by_cookie, by_protocol = by_each_carrier(roomy, token)
    assert refused_for(roomy, group, **by_header) == "malformed"
    assert refused_for(roomy, group, **by_protocol) == "malformed_credential"
    with roomy.connect(group, **by_cookie) as client:
        assert client.receive_json()["reason"] == "malformed_credential"
        assert client.wait_close() == (4401, "malformed_credential")


def test_long_jwts_are_asked_about_again_and_revoked_like_short_ones(
        roomy, user, group, db, sql):
    """Their ids, which the listener keeps and asks by, are twice as long."""
    tokens = [access_token_of(user, length) for length in (8244, LONGEST)]
    with roomy.connect(group, headers=bearer(tokens[0])) as one, \
            roomy.connect(group, headers=bearer(tokens[1])) as other:
        db("SELECT usher.set_jwt_options(leeway => '1 s',"
           " token_types => '{access,sliding}')")
        try:
            sql(f"SELECT usher.broadcast('{group}', '1')")
            assert (one.receive(), other.receive()) == ("1", "1")
        finally:
            db("SELECT usher.set_jwt_options("
               "token_types => '{access,sliding}')")
        user.is_active = False
        user.save()
        assert one.wait_close() == (4410, "revoked")
        assert other.wait_close() == (4410, "revoked")
    for token in tokens:
        assert token[-40:] not in roomy.log()
        assert as_subprotocol(token)[-40:] not in roomy.log()


# ---- other keys and claims ------------------------------------------------

@pytest.fixture(scope="module")
def rsa_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


def test_a_key_added_with_its_algorithm_is_used_at_once_and_until_removed(
        rsa_key, user, usherd, group, db):
    import jwt
    from rest_framework_simplejwt.tokens import AccessToken
    private, public = rsa_key
    token = jwt.encode(AccessToken.for_user(user).payload, private, "RS256")
    assert refused_for(usherd, group, headers=bearer(token)) == \
        "bad_algorithm"
    db("SELECT usher.add_jwt_key('e2e', 'RS256', %s)", public)
    try:
        with usherd.connect(group, headers=bearer(token)) as client:
            client.ping()
        forged = jwt.api_jws.PyJWS(algorithms=["HS256"])
        forged._algorithms["HS256"].prepare_key = lambda key: key
        confused = forged.encode(
            jwt.utils.force_bytes('{"user_id":"%d"}' % user.pk),
            public.encode(), "HS256")
        assert refused_for(usherd, group, headers=bearer(confused)) == \
            "bad_signature"
    finally:
        db("SELECT usher.remove_jwt_key('e2e')")
    assert refused_for(usherd, group, headers=bearer(token)) == \
        "bad_algorithm"


@pytest.fixture
def drf_jwt(db):
    """The site's tokens are those of djangorestframework-jwt meanwhile."""
    db("SELECT usher.set_jwt_options(flavor => 'drf-jwt')")
    yield
    db("SELECT usher.set_jwt_options(token_types => '{access,sliding}')")


def test_options_that_change_are_asked_of_whoever_is_connected(
        sliding, pair, usherd, group, db):
    with usherd.connect(group, headers=bearer(sliding)) as one, \
            usherd.connect(group, headers=bearer(pair["access"])) as other:
        db("SELECT usher.set_jwt_options(token_types => '{access}')")
        try:
            assert one.wait_close() == (4410, "revoked")
            other.ping()
        finally:
            db("SELECT usher.set_jwt_options("
               "token_types => '{access,sliding}')")


def old_token(site, user, **claims):
    """The payload of djangorestframework-jwt 1.11 (its jwt_payload_handler),
    which Debian does not have."""
    import time

    import jwt
    return jwt.encode({
        "user_id": user.pk, "username": user.username,
        "exp": int(time.time()) + 300, "email": "", **claims},
        site.environment["SITE_SECRET_KEY"], "HS256")


def test_a_token_of_djangorestframework_jwt_opens_by_header_and_cookie(
        drf_jwt, site, user, usherd, group):
    token = old_token(site, user)
    with usherd.connect(group, headers=bearer(token, "JWT")) as client:
        client.ping()
    with usherd.connect_by_cookie(group, token, "JWT") as client:
        client.ping()


def test_a_renamed_user_loses_his_djangorestframework_jwt_socket(
        drf_jwt, site, user, usherd, group):
    token = old_token(site, user)
    with usherd.connect(group, headers=bearer(token, "JWT")) as client:
        user.username += "-renamed"
        user.save()
        assert client.wait_close() == (4410, "revoked")
    assert refused_for(usherd, group, headers=bearer(token, "JWT")) == \
        "unknown_user"


# ---- knox -----------------------------------------------------------------

# As the migrations of django-rest-knox 5.0 leave it; Debian has no package.
KNOX = """
CREATE TABLE knox_authtoken (
    digest varchar(128) PRIMARY KEY,
    created timestamptz NOT NULL DEFAULT now(),
    user_id integer NOT NULL REFERENCES auth_user
        DEFERRABLE INITIALLY DEFERRED,
    expiry timestamptz,
    token_key varchar(25) NOT NULL);
CREATE INDEX ON knox_authtoken (token_key);
"""


@pytest.fixture(scope="module")
def knox(site):
    """A site that has just installed knox, and a listener that is told."""
    from harness import Usherd
    site.psql(KNOX, user="site")
    site.psql("SELECT usher.attach_django()", user="site")
    with Usherd(site.conninfo(), header_keywords="Token=knox") as usherd:
        yield usherd
    site.psql("DROP TABLE knox_authtoken", user="site")
    site.psql("SELECT usher.attach_django()", user="site")


def add_knox_token(db, user, expiry=None):
    """As knox/models.py, AuthTokenManager.create, makes them."""
    token = secrets.token_hex(32)
    db("INSERT INTO knox_authtoken (digest, user_id, expiry, token_key)"
       " VALUES (%s, %s, now() + %s::interval, %s)",
       hashlib.sha512(token.encode()).hexdigest(), user.pk, expiry,
       token[:15])
    return token


def test_a_knox_token_opens_a_socket_and_its_deletion_closes_it(
        knox, db, user, group, sql):
    token, other = add_knox_token(db, user), add_knox_token(db, user)
    with knox.connect(group, token) as client, \
            knox.connect(group, other) as beside:
        sql(f"SELECT usher.broadcast('{group}', '1')")
        assert client.receive() == "1"
        db("DELETE FROM knox_authtoken WHERE token_key = %s", token[:15])
        assert client.wait_close() == (4410, "revoked")
        beside.ping()
    assert refused_for(knox, group, token=token) == "unknown_token"


def test_a_session_key_for_a_knox_token_dies_with_it(knox, db, user, group):
    token = add_knox_token(db, user)
    key, _ = exchanged(knox, {"Authorization": f"Token {token}"})
    with knox.connect(group, session_key=key) as client:
        db("DELETE FROM knox_authtoken WHERE token_key = %s", token[:15])
        assert client.wait_close() == (4410, "revoked")
    assert refused_for(knox, group, session_key=key) == "unknown_session"


def test_a_socket_closes_4419_when_its_knox_token_expires(
        knox, db, user, group):
    token = add_knox_token(db, user, "2 s")
    with knox.connect(group, token) as client:
        assert client.wait_close(5) == (4419, "expired")
    assert refused_for(knox, group, token=token) == "expired"


def test_a_knox_token_that_is_renewed_while_in_use_keeps_its_socket(
        knox, db, user, group, sql):
    """As knox's AUTO_REFRESH, which writes a later expiry."""
    token = add_knox_token(db, user, "2 s")
    with knox.connect(group, token) as client:
        db("UPDATE knox_authtoken SET expiry = now() + interval '4 s'"
           " WHERE token_key = %s", token[:15])
        time.sleep(2.5)
        sql(f"SELECT usher.broadcast('{group}', '1')")
        assert client.receive() == "1"
        assert client.wait_close(5) == (4419, "expired")
