"""One cluster, one Django site and one listener for the whole run.

A test that disturbs them (kills PostgreSQL, needs other settings) takes its
own: start_usherd, or a Cluster of the harness.  Groups and users are named
anew for every test, so tests do not hear each other.
"""
import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import Cluster, Site, Usherd, eventually, free_port  # noqa: E402
from harness.process import end_on_signals  # noqa: E402
from support_groups import Sql  # noqa: E402

numbers = itertools.count(1000)


def pytest_configure(config):
    end_on_signals()


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def site(cluster):
    """The Django site, serving; its models can be imported in tests."""
    with Site(cluster, usherd_port=free_port()) as site:
        yield site.setup_orm()


@pytest.fixture(scope="session")
def usherd(site):
    with Usherd(site.conninfo(), port=site.usherd_port) as usherd:
        yield usherd


@pytest.fixture
def start_usherd(site):
    """start_usherd(max_message_bytes="1kB"): a listener with own settings."""
    started = []

    def start(**settings):
        started.append(Usherd(settings.pop("database", site.conninfo()),
                              **settings))
        return started[-1].start()

    yield start
    for usherd in reversed(started):
        usherd.stop()
        usherd.remove()


@pytest.fixture
def start_orphan():
    """start_orphan(page="on"): a listener that finds no database."""
    started = []

    def start(**settings):
        usherd = Usherd(f"host=127.0.0.1 port={free_port()}", **settings)
        started.append(usherd)
        usherd.start(wait=False)
        eventually(usherd.answers)
        return usherd

    yield start
    for usherd in started:
        usherd.stop()
        usherd.remove()


@pytest.fixture
def number():
    """A number no other test has."""
    return next(numbers)


@pytest.fixture
def group(number):
    """A group of category app, which any user may join and send to."""
    return f"app_{number}"


@pytest.fixture
def make_user(site):
    """make_user(is_staff=True): a Django user whose password is his name."""
    def make(**fields):
        name = f"user{next(numbers)}"
        return site.create_user(name, password=name, **fields)
    return make


@pytest.fixture
def user(make_user):
    return make_user()


@pytest.fixture
def token(site, user):
    """The key of user's token."""
    return site.create_token(user).key


@pytest.fixture
def make_token(site, make_user):
    """make_token(): the key of a new user's token."""
    return lambda **fields: site.create_token(make_user(**fields)).key


@pytest.fixture
def sql(site):
    """sql("SELECT ..."): what psql prints, as superuser."""
    return site.psql


@pytest.fixture
def db(site):
    """db("SELECT ...", argument): the site's own role, on one connection."""
    db = Sql(site)
    yield db
    db.close()


@pytest.fixture
def person(db):
    """A user made by SQL alone, with a token."""
    return db.add_person()


@pytest.fixture
def category(db, number):
    """The name of a category that no other test uses; dropped afterwards."""
    name = f"c{number}"
    yield name
    db("SELECT usher.drop_category(%s)", name)


@pytest.fixture
def admin(site):
    """A browser without a screen, logged in to the admin."""
    return site.browser().log_in("admin", "admin")
