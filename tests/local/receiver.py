"""A server on this machine to which somebody posts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def receiver(*, silent: bool = False, status: int = 200) -> Iterator[tuple[str, list[Posted]]]:
    """URL of the server, and what it has received; a ``silent`` one does not answer, others do with ``status``."""
    received: list[Posted] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(Posted(path=self.path, headers=dict(self.headers), body=body))
            if silent:
                over.wait()
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/statistics", received
        finally:
            over.set()
            server.shutdown()
            thread.join()
