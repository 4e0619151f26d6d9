"""The Django site of test/site, on a database of a cluster."""
import http.client
import http.cookies
import json
import os
import secrets
import signal
import sys
import urllib.parse
from pathlib import Path

from .process import (Process, REPO, free_port, remove_scratch_dir, run,
                      scratch_dir)
from .raw import Response

FOLDER = REPO / "test/site"
PYTHON = "/usr/bin/python3"

# What an administrator does once.  Django's own role is no superuser: the
# extension's presence lets CreateExtension pass, and membership in usher_app
# lets the site call it.
ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'site') THEN
        CREATE ROLE site LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'usherd') THEN
        CREATE ROLE usherd LOGIN;
    END IF;
END
$$
"""
GRANTS = "GRANT usher_app TO site; GRANT usher_listener TO usherd"


class Site:
    """with Site(cluster) as site: ... is migrated and serves site.url

    usherd_port   what the page connects to
    In this process the site's models can be used after setup_orm(), which
    binds the process to this site: one Site with ORM in a test run.
    """

    def __init__(self, cluster, database="site", port=None, usherd_port=8765,
                 log=None):
        self.cluster = cluster
        self.database = database
        self.port = port or free_port()
        self.usherd_port = usherd_port
        self.folder = None if log else scratch_dir("usher-site-")
        self.log_path = Path(log) if log else self.folder / "site.log"
        self.process = None
        self.environment = {
            "SITE_DB_HOST": str(cluster.folder),
            "SITE_DB_PORT": str(cluster.port),
            "SITE_DB_NAME": database,
            "SITE_DB_USER": "site",
            "SITE_SECRET_KEY": secrets.token_urlsafe(48),
            "USHERD_PORT": str(usherd_port),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def __enter__(self):
        return self.create().serve()

    def __exit__(self, *exc):
        self.stop()

    # ---- the site's life ------------------------------------------------

    def manage(self, *arguments):
        """manage.py with this site's settings; returns what it printed."""
        return run([PYTHON, FOLDER / "manage.py", *arguments],
                   env={**os.environ, **self.environment})

    def create(self):
        """Roles, database, extension, tables and the users of demo_data."""
        self.cluster.psql(ROLES)
        self.cluster.create_database(self.database, "site")
        self.cluster.psql("CREATE EXTENSION usher", self.database)
        self.cluster.psql(GRANTS)
        self.manage("migrate", "--verbosity=0")
        self.manage("demo_data")
        return self

    def serve(self):
        self.process = Process(
            "site", [PYTHON, FOLDER / "manage.py", "runserver", "--noreload",
                     f"127.0.0.1:{self.port}"],
            self.log_path, env={**os.environ, **self.environment})
        self.process.wait_ready(self.is_ready)
        return self

    def is_ready(self):
        try:
            return Browser(self).get("/").status == 200
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.stop(signal.SIGTERM, deadline_s=5)
            self.process = None
        if self.folder:
            remove_scratch_dir(self.folder)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def conninfo(self, user="usherd"):
        """What usherd is given as its database."""
        return self.cluster.conninfo(self.database, user)

    def psql(self, sql, user="postgres"):
        return self.cluster.psql(sql, self.database, user)

    def connect(self, user="site", autocommit=True):
        return self.cluster.connect(self.database, user, autocommit)

    # ---- its users ------------------------------------------------------

    def setup_orm(self):
        """Let this process import the site's models."""
        os.environ.update(self.environment)
        os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
        if str(FOLDER) not in sys.path:
            sys.path.insert(0, str(FOLDER))
        import django
        django.setup()
        return self

    @staticmethod
    def create_user(name, password=None, **fields):
        from django.contrib.auth import get_user_model
        return get_user_model().objects.create_user(
            name, password=password, **fields)

    @staticmethod
    def create_token(user):
        """The user's token; its key is what clients present."""
        from rest_framework.authtoken.models import Token
        return Token.objects.get_or_create(user=user)[0]

    def browser(self):
        return Browser(self)


class Browser:
    """A client of the site that keeps cookies and fills in forms."""

    def __init__(self, site):
        self.site = site
        self.cookies = {}

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.cookies:
            headers["Cookie"] = "; ".join(
                f"{k}={v}" for k, v in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port,
                                                timeout=20)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    for key, morsel in http.cookies.SimpleCookie(
                            value).items():
                        self.cookies[key] = morsel.value
            return Response(answer.status,
                            {k.lower(): v for k, v in answer.getheaders()},
                            answer.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post_json(self, path, value, token=None):
        """POST as an API client; returns the decoded answer."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Token {token}"
        answer = self.request("POST", path, json.dumps(value), headers)
        if answer.status >= 400:
            raise RuntimeError(f"POST {path}: {answer.status} "
                               f"{answer.body[:500]!r}")
        return json.loads(answer.body)

    def post_form(self, path, fields):
        """GET the form for its CSRF cookie, then POST it."""
        self.get(path)
        return self._post_with_csrf_token(path, fields)

    def _post_with_csrf_token(self, path, fields):
        fields = {**fields, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        return self.request(
            "POST", path, urllib.parse.urlencode(fields, doseq=True),
            {"Content-Type": "application/x-www-form-urlencoded",
             "Referer": self.site.url + path})

    def sign_in(self, name, password):
        """Through Django's own LoginView; afterwards cookies has a session."""
        answer = self.post_form("/accounts/login/",
                                {"username": name, "password": password})
        if answer.status != 302:
            raise RuntimeError(f"sign in of {name}: {answer.status}")
        return self

    def sign_out(self):
        """Through Django's own LogoutView, which from 5.0 wants a POST; the
        log-in has left its CSRF cookie."""
        answer = self._post_with_csrf_token("/accounts/logout/", {})
        if answer.status != 302:
            raise RuntimeError(f"sign out: {answer.status}")

    def log_in(self, name, password):
        """Through the admin's log-in form: the user must be staff."""
        answer = self.post_form("/admin/login/",
                                {"username": name, "password": password,
                                 "next": "/admin/"})
        if answer.status != 302:
            raise RuntimeError(f"log in of {name}: {answer.status}")
        return self
