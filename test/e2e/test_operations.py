"""What whoever runs usherd meets: settings, signals, health, log, limits."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from harness import REPO, Usherd, eventually, free_port
from harness.client import Client, Refused
from harness.process import run

SETTINGS = """listen tls_listen tls_certificate tls_key database log_level
refusal header_keywords allow_query_token allow_query_django_session jwt_cookie
session_cookie allowed_origins max_header_bytes header_timeout auth_timeout
close_timeout expiry_warning max_message_bytes message_rate message_burst
message_rate_per_user message_rate_per_address byte_rate byte_rate_per_user
byte_rate_per_address max_groups max_groups_per_user max_groups_per_address
presence_delay report_interval lease page max_inflight max_connections max_unauthenticated max_connections_per_user
max_connections_per_address recent_bytes resume_limit purge_interval
queue_bytes queue_age ping_interval ping_timeout
drain_time max_plain_groups canary_interval call_links max_pending_calls
call_timeout""".split()


@pytest.fixture(scope="module")
def binary():
    return Usherd.binary()


@pytest.fixture
def usherd_says(binary):
    """usherd_says("--check"): (exit status, standard output, errors)"""
    # The site's settings include a USHERD_PORT.
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("USHERD_")}

    def ask(*arguments, **environment):
        done = subprocess.run(
            [str(binary), *arguments], text=True, timeout=20,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**inherited, **environment})
        assert "Sanitizer" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr
    return ask


@pytest.fixture
def write_ini(tmp_path):
    def write(text, mode=0o600, name="usherd.ini"):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path
    return write


# ---- options and settings -----------------------------------------------

def listed(help_text):
    return {name.replace("-", "_") for name in
            re.findall(r"^ +--([a-z][a-z_-]*)", help_text, re.MULTILINE)}


def test_help_lists_every_setting_and_every_flag(usherd_says):
    status, output, errors = usherd_says("--help")
    assert (status, errors) == (0, "")
    assert listed(output) == {*SETTINGS, "config", "check", "help",
                              "version"}


def test_version_is_that_of_the_control_file(usherd_says):
    control = (REPO / "extension/usher.control").read_text()
    version = re.search(r"default_version\s*=\s*'(.*)'", control)[1]
    assert usherd_says("--version") == (0, f"usherd {version}\n", "")


def test_check_says_that_good_settings_are_fine(usherd_says, write_ini):
    ini = write_ini("[usherd]\nlisten = 127.0.0.1:9999\nqueue_age = 2min\n")
    status, output, errors = usherd_says("--check", f"--config={ini}")
    assert (status, errors) == (0, "")
    assert "fine" in output


def test_a_lease_that_one_late_report_would_end_is_refused(usherd_says):
    status, output, errors = usherd_says("--check", "--lease=2s",
                                         "--report_interval=1s")
    assert status == 2
    assert "report_interval" in output + errors
    assert usherd_says("--check", "--lease=3s", "--report_interval=1s")[0] == 0


def test_check_starts_nothing(usherd_says):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        # A listener could not bind here, and would not end either.
        assert usherd_says("--check", f"--listen=127.0.0.1:{port}")[0] == 0


BAD_ARGUMENTS = {
    "an_unknown_option": (["--queue-bites=1MB"], "queue-bites"),
    "a_word_that_is_no_option": (["queue_bytes"], "not an option"),
    "a_number_that_is_none": (["--message-rate=many"], "message.rate"),
    "a_number_out_of_bounds": (["--call-links=9"], "call.links"),
    "a_negative_number": (["--max-connections=-1"], "max.connections"),
    "an_unknown_unit": (["--queue-age=3 parsecs"], "queue.age"),
    "a_queue_below_its_minimum": (["--queue-bytes=1kB"], "queue.bytes"),
    "a_choice_that_is_none": (["--refusal=maybe"], "refusal"),
    "an_option_without_its_value": (["--listen"], "listen"),
    "an_address_without_a_port": (["--listen=127.0.0.1"], "listen"),
    "nothing_to_listen_on": (["--listen="], "listen"),
    "tls_without_a_certificate": (["--tls-listen=127.0.0.1:1"],
                                  "tls.certificate"),
    "a_certificate_that_is_not_there": (
        ["--tls-listen=127.0.0.1:1", "--tls-certificate=/nonexistent.pem",
         "--tls-key=/nonexistent.key"], "/nonexistent"),
    "a_file_that_is_not_there": (["--config=/nonexistent.ini"],
                                 "/nonexistent.ini"),
}


@pytest.mark.parametrize("arguments, named", BAD_ARGUMENTS.values(),
                         ids=BAD_ARGUMENTS)
def test_a_wrong_setting_is_named_in_one_sentence(usherd_says, arguments,
                                                  named):
    for flags in (["--check"], []):
        status, output, errors = usherd_says(*flags, *arguments)
        assert (status, output) == (2, "")
        assert re.search(named, errors), errors
        assert errors.startswith("usherd: ")
        assert errors.count("\n") == 1


BAD_FILES = {
    "an_unknown_setting": ("[usherd]\nlisten = *:1\ncolour = red\n",
                           "colour", "3"),
    "an_unknown_section": ("[usherd]\n\n[daemon]\nlisten = *:1\n",
                           "section", "3"),
    "a_line_that_is_no_setting": ("[usherd]\nlisten\n", "", "2"),
    "a_wrong_value": ("[usherd]\n\n\nping_interval = soon\n",
                      "ping_interval", ""),
}


@pytest.mark.parametrize("text, named, line", BAD_FILES.values(),
                         ids=BAD_FILES)
def test_a_mistake_in_the_file_is_named_with_its_line(usherd_says, write_ini,
                                                      text, named, line):
    ini = write_ini(text)
    status, _, errors = usherd_says("--check", f"--config={ini}")
    assert status == 2
    assert named in errors and line in errors.replace(str(ini), "")


def test_a_private_key_that_others_can_read_is_refused(usherd_says,
                                                       tmp_path):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-out", certificate, "-keyout", key])
    arguments = ["--check", "--tls-listen=127.0.0.1:1",
                 f"--tls-certificate={certificate}", f"--tls-key={key}"]
    key.chmod(0o600)
    assert usherd_says(*arguments)[0] == 0
    key.chmod(0o644)
    status, _, errors = usherd_says(*arguments)
    assert status == 2
    assert "chmod" in errors and str(key) in errors


def test_a_password_in_a_file_that_others_can_read_is_refused(usherd_says,
                                                              write_ini):
    text = "[usherd]\ndatabase = dbname=site password=hush-hush\n"
    assert usherd_says("--check",
                       f"--config={write_ini(text, 0o600)}")[0] == 0
    ini = write_ini(text, 0o644)
    status, output, errors = usherd_says("--check", f"--config={ini}")
    assert status == 2
    assert "chmod" in errors
    assert "hush-hush" not in output + errors


def test_an_option_wins_over_the_environment_and_that_over_the_file(
        write_ini):
    """As seen by what it listens on; no database is needed for that."""
    ports = {place: free_port() for place in ("file", "environment",
                                              "option")}

    def listens_on(*places):
        file = write_ini("[usherd]\nlog_level = info\n" + (
            f"listen = 127.0.0.1:{ports['file']}\n"
            if "file" in places else ""))
        environment = {"USHERD_LISTEN": f"127.0.0.1:{ports['environment']}"} \
            if "environment" in places else {}
        usherd = Usherd(f"host=127.0.0.1 port={free_port()}")
        del usherd.settings["listen"]
        if "option" in places:
            usherd.settings["listen"] = f"127.0.0.1:{ports['option']}"
        usherd.start(wait=False, arguments=[f"--config={file}"],
                     env={**os.environ, **environment})
        try:
            return int(usherd.wait_log(r"listening on \S+:(\d+)")[1])
        finally:
            usherd.stop()
            usherd.remove()

    assert listens_on("file") == ports["file"]
    assert listens_on("file", "environment") == ports["environment"]
    assert listens_on("file", "environment", "option") == ports["option"]


def test_a_mistake_is_told_even_where_something_else_wins(usherd_says,
                                                          write_ini):
    ini = write_ini("[usherd]\nrefusal = bad-file\n")
    status, _, errors = usherd_says("--check", f"--config={ini}",
                                    "--refusal=http")
    assert status == 2 and "line 2" in errors
    status, _, errors = usherd_says("--check", "--refusal=http",
                                    USHERD_REFUSAL="bad-environment")
    assert status == 2 and "USHERD_REFUSAL" in errors


def test_the_file_is_also_found_by_the_environment(usherd_says, write_ini):
    ini = write_ini("[usherd]\nrefusal = bad\n")
    assert usherd_says("--check", USHERD_CONFIG=str(ini))[0] == 2
    assert usherd_says("--check")[0] == 0


def test_an_address_that_cannot_be_bound_ends_the_start(usherd_says):
    status, _, errors = usherd_says("--listen=192.0.2.1:1")
    assert status == 1
    assert "192.0.2.1" in errors


# ---- SIGHUP -------------------------------------------------------------

@pytest.fixture
def configured(site, write_ini):
    """configured(text): a listener whose settings come from a file."""
    started = []

    def start(text, **settings):
        ini = write_ini("[usherd]\n" + text)
        started.append(Usherd(site.conninfo(), **settings))
        return started[-1].start(arguments=[f"--config={ini}"])

    yield start
    for usherd in reversed(started):
        usherd.stop()
        usherd.remove()


def test_sighup_changes_a_limit_for_those_who_come_and_are_there(
        configured, write_ini, group, person):
    usherd = configured("max_connections_per_user = 1\n")
    with usherd.connect(group, person.token) as client:
        with pytest.raises(Refused):
            usherd.connect(group, person.token)
        write_ini("[usherd]\nmax_connections_per_user = 2\n"
                  "message_rate = 1\nmessage_burst = 1\n")
        usherd.reload()
        usherd.wait_log("settings: reloaded")
        with usherd.connect(group, person.token):
            client.send("one")
            client.send("two")
            assert client.wait_close().code == 4429


def test_sighup_says_which_settings_need_a_restart(configured, write_ini,
                                                   group, person):
    usherd = configured("call_links = 1\n")
    with usherd.connect(group, person.token) as client:
        write_ini("[usherd]\ncall_links = 3\n")
        usherd.reload()
        usherd.wait_log("settings: .*call_links.*restart")
        client.ping()


def test_a_mistake_in_the_file_leaves_the_old_settings_at_sighup(
        configured, write_ini, group, person):
    usherd = configured("max_connections_per_user = 1\n")
    write_ini("[usherd]\nmax_connections_per_user = few\n")
    usherd.reload()
    usherd.wait_log("ERROR settings: not reloaded: "
                    ".*max_connections_per_user")
    with usherd.connect(group, person.token) as client:
        with pytest.raises(Refused):
            usherd.connect(group, person.token)
        client.ping()


# ---- SIGTERM ------------------------------------------------------------

def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return False
    except ConnectionRefusedError:
        return True


def test_sigterm_closes_everybody_1001_spread_over_drain_time(start_usherd,
                                                              db, group):
    usherd = start_usherd(drain_time="1500ms")
    clients = [usherd.connect(group, p.token) for p in db.add_people(10)]
    process = usherd.process
    process.send_signal(signal.SIGTERM)
    usherd.wait_log("draining 10 connections")
    assert is_refused(usherd.port)
    ends = []
    for client in reversed(clients):    # the youngest is closed first
        assert client.wait_close() == (1001, "draining")
        ends.append(time.monotonic())
        client.close()
    # A timer is never early: of ten, the last has nine tenths of drain_time.
    assert ends[-1] - ends[0] > 0.5
    assert process.wait() == 0
    assert "server: stopped" in usherd.log()


def test_a_member_still_hears_his_group_while_it_is_drained(start_usherd, db,
                                                            group):
    usherd = start_usherd(drain_time="3s")
    clients = [usherd.connect(group, p.token) for p in db.add_people(3)]
    usherd.process.send_signal(signal.SIGTERM)
    usherd.wait_log("draining 3 connections")
    assert clients[2].wait_close().code == 1001
    clients[2].close()
    db.tell(group, "to who is left")
    assert clients[0].receive() == "to who is left"
    for client in clients[:2]:
        client.abort()
    assert usherd.process.wait() == 0


def test_a_client_who_ignores_the_close_does_not_hold_up_the_end(
        start_usherd, group, person):
    usherd = start_usherd(drain_time="100ms", close_timeout="300ms")
    with usherd.raw() as raw:
        raw.upgrade(f"/ws/{group}",
                    {"Authorization": f"Token {person.token}"})
        with usherd.raw():  # and one that never asked anything
            usherd.process.send_signal(signal.SIGTERM)
            assert usherd.process.wait() == 0
        assert raw.read_close() == (1001, "draining")


def test_a_second_sigterm_ends_it_at_once(start_usherd, group, person):
    usherd = start_usherd(drain_time="10min")
    clients = [usherd.connect(group, person.token) for _ in range(2)]
    usherd.process.send_signal(signal.SIGTERM)
    usherd.wait_log("draining")
    usherd.process.send_signal(signal.SIGTERM)
    assert usherd.process.wait() == 0
    for client in clients:
        client.abort()


def test_sigint_ends_it_as_sigterm_does(start_usherd, group, person):
    usherd = start_usherd()
    with usherd.connect(group, person.token) as client:
        usherd.process.send_signal(signal.SIGINT)
        assert client.wait_close().code == 1001
    assert usherd.process.wait() == 0


# ---- health -------------------------------------------------------------

def test_healthz_and_readyz_say_in_json_how_it_is(usherd):
    health = usherd.get("/healthz")
    assert health.status == 200
    assert health.headers["content-type"].startswith("application/json")
    assert usherd.get_json("/healthz")["status"] == "ok"
    ready = usherd.get_json("/readyz")
    assert (ready["status"], ready["database"], ready["listening"]) == \
        ("ready", True, True)
    assert 0 <= ready["notification_queue_usage"] <= 1
    assert ready["canary_age_ms"] >= 0


def test_readyz_is_503_without_a_database_while_healthz_is_200():
    usherd = Usherd(f"host=127.0.0.1 port={free_port()} dbname=x")
    try:
        usherd.start(wait=False)
        usherd.wait_log("started")
        response = usherd.get("/readyz")
        assert response.status == 503
        assert usherd.get_json("/readyz")["status"] == "unavailable"
        assert usherd.get_json("/readyz")["database"] is False
        assert usherd.get("/healthz").status == 200
    finally:
        assert usherd.stop() == 0
        usherd.remove()


def failing_database(site, database, user):
    usherd = Usherd(site.cluster.conninfo(database, user))
    usherd.start(wait=False)
    return usherd


@pytest.fixture
def stranger(site):
    """A role that may connect and nothing else."""
    site.psql("CREATE ROLE stranger LOGIN")
    yield "stranger"
    site.psql("DROP ROLE stranger")


def test_a_role_without_usher_listener_is_told_which_grant_is_missing(
        site, stranger):
    usherd = failing_database(site, site.database, stranger)
    try:
        usherd.wait_log("GRANT usher_listener TO")
        assert usherd.get("/readyz").status == 503
        # No restart is needed once it is there.
        site.psql("GRANT usher_listener TO stranger")
        eventually(usherd.is_ready, 30)
    finally:
        usherd.stop()
        usherd.remove()


def test_a_database_without_the_extension_is_told_to_create_it(site):
    site.cluster.create_database("bare")
    usherd = failing_database(site, "bare", "usherd")
    try:
        usherd.wait_log("CREATE EXTENSION usher")
        assert usherd.get("/readyz").status == 503
    finally:
        usherd.stop()
        usherd.remove()
        site.cluster.drop_database("bare")


# ---- the log ------------------------------------------------------------

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
                  r" (DEBUG|INFO|WARNING|ERROR) \S.*")


def test_the_log_has_one_line_per_event_with_peer_and_reason(
        start_usherd, db, group, person):
    usherd = start_usherd()
    start = len(usherd.log())
    with usherd.connect(group, person.token) as client:
        with pytest.raises(Refused):
            usherd.connect(group, "0" * 40)
        with pytest.raises(Refused):
            usherd.connect("nowhere_1", person.token)
        db("DELETE FROM authtoken_token WHERE key = %s", person.token)
        assert client.wait_close().code == 4410
    eventually(lambda: usherd.get_json("/healthz")["connections"] == 1)
    lines = [line for line in usherd.log()[start:].splitlines()
             if " client " in line]
    peer = r"client \d+ 127\.0\.0\.1:\d+: "
    expected = [
        rf"joined {group} as user {person.id} \({person.name}\) by token",
        r"refused with 401: unknown_token",
        r"refused with 403: unknown_group, group nowhere_1",
        rf"closing with 4410: revoked \(user {person.id}, group {group}, ",
    ]
    for line, pattern in zip(lines, expected):
        assert LINE.fullmatch(line), line
        assert re.search(peer + pattern, line), line
    assert len(lines) == len(expected), lines


def test_no_log_line_has_a_credential_or_a_query_even_at_debug(
        start_usherd, db, group, person):
    usherd = start_usherd(log_level="debug", allow_query_token="on")
    key = db.issue(person)
    wrong = "wr0ng" * 8
    with usherd.connect(group, person.token) as client:
        client.send("message-text")
        client.receive()
    with usherd.connect(group, session_key=key + "&colour=teal"):
        pass
    with Client(usherd.url(group, token=person.token)):
        pass
    for credential in ({"token": wrong}, {"session_key": wrong},
                       {"headers": {"Authorization": f"Token a {wrong}"}},
                       {"headers": {"Authorization": f"Bearer {wrong}"}}):
        with pytest.raises(Refused):
            usherd.connect(group, **credential)
    with usherd.raw() as raw:
        raw.send(f"GET /ws/x?session_key={wrong} HTTP/9.9\r\n\r\n")
        assert raw.ended()
    with usherd.raw() as raw:
        raw.send(f"NONSENSE {wrong}\r\n\r\n")
        assert raw.ended()
    # Those that revocations name.
    db("SELECT usher.revoke_session(%s)", key)
    db("DELETE FROM authtoken_token WHERE key = %s", person.token)
    usherd.stop()
    log = usherd.log()
    assert "joined" in log and "refused" in log
    for secret in (person.token, key, wrong, "colour", "teal", "message-text"):
        assert secret not in log, secret


def test_the_process_title_has_no_password(site):
    usherd = Usherd(site.conninfo() + " password=hush-hush")
    try:
        usherd.start()
        assert "hush-hush" not in usherd.log()
        usherd.wait_log("password")     # a warning: ps shows options
    finally:
        usherd.stop()
        usherd.remove()


# ---- limits -------------------------------------------------------------

@pytest.mark.parametrize("setting", ["max_connections_per_user",
                                     "max_connections_per_address"])
def test_too_many_connections_are_refused_429_or_4429(
        start_usherd, group, person, setting):
    usherd = start_usherd(**{setting: "2"})
    first = usherd.connect(group, person.token)
    with usherd.connect(group, person.token) as second:
        with pytest.raises(Refused) as refused:
            usherd.connect(group, person.token)
        assert refused.value.status == 429
        assert refused.value.json()["reason"] == "too_many_connections"
        assert refused.value.headers["Retry-After"]

        def browser_is_refused():
            """An address counts until the refused one is gone."""
            with usherd.connect(group, person.token,
                                origin="http://site") as browser:
                assert browser.receive_json()["reason"] == \
                    "too_many_connections"
                return browser.wait_close().code == 4429
        assert browser_is_refused()
        first.close()

        def admitted():
            try:
                return usherd.connect(group, person.token)
            except Refused:
                return None
        with eventually(admitted, what="room for one again") as third:
            third.ping()
        second.ping()


def test_the_limit_of_one_user_leaves_others_alone(start_usherd, db, group):
    usherd = start_usherd(max_connections_per_user="1")
    one, two = db.add_people(2)
    with usherd.connect(group, one.token), \
            usherd.connect(group, two.token) as other, \
            usherd.connect("public_1"), usherd.connect("public_1"):
        with pytest.raises(Refused):
            usherd.connect(group, one.token)
        other.ping()


def test_more_than_max_connections_are_refused_503(start_usherd, group,
                                                   person):
    usherd = start_usherd(max_connections="2")
    with usherd.connect(group, person.token), \
            usherd.connect(group, person.token):
        with pytest.raises(Refused) as refused:
            usherd.connect(group, person.token)
        assert refused.value.status == 503
        assert refused.value.json()["reason"] == "overloaded"
        assert usherd.get("/healthz").status == 200


def test_messages_faster_than_the_rate_close_4429(start_usherd, db, group):
    usherd = start_usherd(message_rate="1", message_burst="5")
    fast, calm = db.add_people(2)
    with usherd.connect(group, fast.token) as sender, \
            usherd.connect(group, calm.token) as reader:
        for i in range(6):
            sender.send(str(i))
        closed = sender.wait_close()
        assert (closed.code, closed.reason) == (4429, "message_rate")
        reader.send("hello")
        heard = [reader.receive()]
        while heard[-1] != "hello":
            heard.append(reader.receive())
        # What was taken before the limit may have arrived; nothing after it.
        assert heard[:-1] == [str(i) for i in range(len(heard) - 1)]
        assert len(heard) <= 6


# ---- silence ------------------------------------------------------------

def test_who_answers_pings_stays_and_who_does_not_is_closed_1011(
        start_usherd, group, person):
    usherd = start_usherd(ping_interval="200ms", ping_timeout="300ms")
    headers = {"Authorization": f"Token {person.token}"}
    with usherd.raw() as mute, usherd.raw() as answers:
        mute.upgrade(f"/ws/{group}", headers)
        answers.upgrade(f"/ws/{group}", headers)
        pings = 0
        while pings < 5:
            frame = answers.read_frame()
            assert frame.opcode == 9
            answers.frame(10, frame.payload)
            pings += 1
        assert mute.read_close() == (1011, "ping timeout")
        assert "ping timeout" in usherd.log()
        assert answers.read_frame().opcode == 9


def test_who_speaks_needs_no_ping(start_usherd, group, person):
    usherd = start_usherd(ping_interval="400ms", ping_timeout="300ms")
    with usherd.raw() as raw:
        raw.upgrade(f"/ws/{group}",
                    {"Authorization": f"Token {person.token}"})
        end = time.monotonic() + 1
        while time.monotonic() < end:
            raw.frame(9, b"mine")
            assert raw.read_frame().opcode == 10
            time.sleep(0.05)


def test_a_request_that_does_not_end_in_time_is_answered_408(start_usherd):
    usherd = start_usherd(header_timeout="300ms")
    with usherd.raw() as raw:
        raw.send("GET /ws/app_1 HTTP/1.1\r\nHost:")
        response = raw.response()
        assert response.status == 408
        assert b'"header_timeout"' in response.body
        assert raw.ended()


def test_who_says_nothing_at_all_is_dropped_without_a_word(start_usherd):
    usherd = start_usherd(header_timeout="300ms")
    with usherd.raw() as raw:
        with pytest.raises(EOFError, match="no response: b''"):
            raw.response()


def test_a_malformed_connection_string_is_refused_before_anything_starts(
        usherd_says):
    status, output, errors = usherd_says(
        "--database=hots=/run password=hush")
    assert status == 2 and not output
    assert "database is not a libpq connection string" in errors
    assert "hush" not in errors


def test_check_notices_a_key_of_another_certificate(usherd_says, tmp_path):
    for name in ("ours", "theirs"):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
             "-keyout", tmp_path / f"{name}.key", "-out",
             tmp_path / f"{name}.pem"])
        (tmp_path / f"{name}.key").chmod(0o600)
    arguments = ["--check", "--tls-listen=127.0.0.1:1",
                 f"--tls-certificate={tmp_path}/ours.pem"]
    assert usherd_says(*arguments, f"--tls-key={tmp_path}/ours.key")[0] == 0
    status, _, errors = usherd_says(*arguments,
                                    f"--tls-key={tmp_path}/theirs.key")
    assert status == 2
    assert "tls_key does not belong to tls_certificate" in errors


def test_a_listener_told_to_stop_while_it_says_that_it_listens_ends_with_0(
        binary):
    """Its log is a full pipe, so it stands still at its first line."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    usherd = subprocess.Popen(
        [str(binary), f"--listen=127.0.0.1:{free_port()}",
         f"--database=host=127.0.0.1 port={free_port()}"],
        stdin=subprocess.DEVNULL, stderr=writer,
        env={name: value for name, value in os.environ.items()
             if not name.startswith("USHERD_")})
    os.close(writer)
    try:
        def is_writing():
            with open(f"/proc/{usherd.pid}/syscall") as call:
                return call.read().startswith("1 0x2 ")
        eventually(is_writing)
        usherd.terminate()
        while os.read(reader, 65536):
            pass
        assert usherd.wait(10) == 0
    finally:
        usherd.kill()
        usherd.wait()
        os.close(reader)
