"""The files that usherd serves."""
import pytest

from harness import REPO


def get(usherd, path, method="GET", **headers):
    return usherd.get(path, method, {name.replace("_", "-"): value
                                     for name, value in headers.items()})


@pytest.fixture(scope="module")
def served(site):
    from harness import Usherd
    with Usherd(site.conninfo(), page="on") as usherd:
        yield usherd


@pytest.mark.parametrize("path, file, type", [
    ("/usher.js", "usher.js", "text/javascript; charset=utf-8"),
    ("/", "index.html", "text/html; charset=utf-8")])
def test_a_file_comes_as_it_is(served, path, file, type):
    answer = get(served, path)
    assert answer.status == 200
    assert answer.body == (REPO / "listener/web" / file).read_bytes()
    assert answer.headers["content-type"] == type
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/usher.js"])
def test_a_browser_that_has_it_is_told_so(served, path):
    etag = get(served, path).headers["etag"]
    again = get(served, path, If_None_Match=f'"x", {etag}')
    assert again.status == 304
    assert again.body == b""
    assert get(served, path, If_None_Match='"x"').status == 200


def test_the_script_is_for_modules_of_any_origin(served):
    assert get(served, "/usher.js").headers["access-control-allow-origin"] \
        == "*"


def test_the_page_lets_no_other_origin_in(served):
    policy = get(served, "/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_the_page_is_not_there_unless_it_is_turned_on(usherd):
    assert get(usherd, "/").status == 404
    assert get(usherd, "/usher.js").status == 200


@pytest.mark.parametrize("path", ["/", "/usher.js"])
def test_only_get_and_head_are_allowed(served, path):
    refused = get(served, path, "POST")
    assert refused.status == 405
    assert refused.headers["allow"] == "GET, HEAD"
    head = get(served, path, "HEAD")
    assert head.status == 200
    assert int(head.headers["content-length"]) > 1000


@pytest.mark.parametrize("path", ["/", "/session", "/nowhere"])
def test_head_is_refused_without_a_body(usherd, path):
    with usherd.raw() as raw:
        raw.send(f"HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        received = b"".join(iter(lambda: raw.socket.recv(4096), b""))
    head, end, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 40") and end
    assert b"Content-Length: 0" not in head
    assert body == b""


def test_files_come_without_a_database(start_orphan):
    usherd = start_orphan(page="on")
    assert get(usherd, "/").status == 200
    assert get(usherd, "/usher.js").status == 200
