"""Files borrowed over HTTP, and statistics posted, with a server on this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from solution.application.adapters.notices import HttpSource, HttpStats
from solution.domain.errors import InvalidInput, NotPossible, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "X-Amz-Signature=secret"
BODY = bytes(range(256)) * 20_000


class _Handler(BaseHTTPRequestHandler):
    posted: ClassVar[list[bytes]] = []

    def do_GET(self) -> None:
        status = {"/names.csv": 200, "/cut": 200, "/moved": 302}.get(self.path.split("?")[0], 403)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/names.csv?" + SECRET)
        body = BODY if status == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path.startswith("/cut") else body)

    def do_POST(self) -> None:
        self.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if self.path == "/stats" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@pytest.fixture
def base() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
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


def test_statistics_are_posted_as_json(base: str) -> None:
    _Handler.posted.clear()
    HttpStats().send(f"{base}/stats", {"archives": 3})
    assert [json.loads(body) for body in _Handler.posted] == [{"archives": 3}]


def test_an_endpoint_that_refuses_is_an_error(base: str) -> None:
    with pytest.raises(TransientError, match="status 500"):
        HttpStats().send(f"{base}/elsewhere", {})
