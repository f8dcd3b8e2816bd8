"""Files borrowed over HTTP, and statistics posted, with a server on this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from solution import USER_AGENT_EXTRA
from solution.application.adapters import notices
from solution.application.adapters.notices import HttpSource, HttpStats
from solution.domain.errors import InvalidInput, NotPossible, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "X-Amz-Signature=secret"
BODY = bytes(range(256)) * 20_000


over = threading.Event()
"""Set when nobody listens any more."""


class _Handler(BaseHTTPRequestHandler):
    posted: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_GET(self) -> None:
        known = {"/names.csv": 200, "/cut": 200, "/moved": 302, "/busy": 429, "/broken": 503}
        status = known.get(self.path.split("?")[0], 403)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/names.csv?" + SECRET)
        body = BODY if status == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path.startswith("/cut") else body)

    def do_POST(self) -> None:
        self.posted.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        if self.path == "/silent":
            over.wait()
        self.send_response({"/stats": 200, "/moved": 307, "/endless": 200}.get(self.path, 500))
        if self.path == "/moved":
            self.send_header("Location", "/stats")
        self.send_header("Content-Length", "1000" if self.path == "/endless" else "0")
        self.end_headers()
        if self.path == "/endless":
            over.wait()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@pytest.fixture
def base() -> Iterator[str]:
    over.clear()
    _Handler.posted.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        over.set()
        server.shutdown()
        thread.join()


def _read(url: str) -> bytes:
    with HttpSource().open(url) as pieces:
        return b"".join(pieces)


@pytest.mark.parametrize("path", ["/names.csv", "/moved"])
def test_what_the_host_gives_is_read(base: str, path: str) -> None:
    assert _read(f"{base}{path}?{SECRET}") == BODY


def test_a_refusal_names_host_and_status_but_not_the_secret(base: str) -> None:
    with pytest.raises(NotPossible, match=r"host 127\.0\.0\.1 answered with status 403") as raised:
        _read(f"{base}/expired?{SECRET}")
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(("path", "status"), [("/busy", 429), ("/broken", 503)])
def test_a_host_that_is_not_well_is_worth_another_try(base: str, path: str, status: int) -> None:
    with pytest.raises(TransientError, match=rf"host 127\.0\.0\.1 answered with status {status}") as raised:
        _read(f"{base}{path}?{SECRET}")
    assert "secret" not in str(raised.value)


def test_a_body_that_breaks_off_is_an_error(base: str) -> None:
    with pytest.raises(TransientError, match="broke off"):
        _read(f"{base}/cut?{SECRET}")


def test_a_host_that_cannot_be_reached_is_named_without_the_secret() -> None:
    with pytest.raises(NotPossible, match="cannot be reached") as raised:
        _read(f"http://127.0.0.1:9/names.csv?{SECRET}")
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/names.csv", "names.csv", "s3://bucket/names.csv"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="give an https URL"):
        _read(url)


def test_statistics_are_posted_as_json_and_nothing_is_said_beside_them(base: str) -> None:
    HttpStats().send(f"{base}/stats", {"archives": 3})
    [(path, headers, body)] = _Handler.posted
    assert (path, json.loads(body)) == ("/stats", {"archives": 3})
    assert headers == {
        "Host": base.removeprefix("http://"),
        "Accept-Encoding": "identity",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT_EXTRA,
    }


@pytest.mark.parametrize(("path", "status"), [("/elsewhere", 500), ("/moved", 307)])
def test_an_endpoint_that_refuses_or_points_elsewhere_is_an_error_and_asked_once(
    base: str, path: str, status: int
) -> None:
    with pytest.raises(TransientError, match=f"status {status}"):
        HttpStats().send(base + path, {})
    assert [sent for sent, _, _ in _Handler.posted] == [path]


def test_an_endpoint_that_says_nothing_is_not_waited_for(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "STATS_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(TransientError, match="cannot be reached"):
        HttpStats().send(f"{base}/silent", {})
    assert len(_Handler.posted) == 1


def test_an_answer_that_does_not_end_is_not_read(base: str) -> None:
    HttpStats().send(f"{base}/endless", {})
    assert len(_Handler.posted) == 1


def test_an_endpoint_where_nobody_listens_is_an_error() -> None:
    with pytest.raises(TransientError, match="cannot be reached"):
        HttpStats().send("http://127.0.0.1:9/stats", {})
