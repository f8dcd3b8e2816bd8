"""The two ends of a copy, reduced to what a copy needs, in processes of their own: their work is not measured.

``python -m tests.bench.servers glacier`` gives job outputs of any size out of one MiB held in memory;
``python -m tests.bench.servers s3`` takes objects and parts, and forgets them. Each prints its port.
"""

from __future__ import annotations

import functools
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any

from solution.mocking.vaults.virtual import Pattern, VirtualContent

MIB = 1024**2
SEED = "benchmark"

JOB_PREFIX = "bytes-"
"""A job id says how large the archive is: ``bytes-1048576``."""


@functools.cache
def content(size: int) -> VirtualContent:
    """The archive of that size: every MiB of it is equal, so that its tree hash costs nothing."""
    return VirtualContent(seed=SEED, size=size, pattern=Pattern.REPEATED)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        """One answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)


class GlacierHandler(_Handler):
    """GetJobOutput."""

    def do_GET(self) -> None:
        """A whole archive, or a range of it, with the tree hash of what is sent."""
        found = re.search(rf"/jobs/{JOB_PREFIX}(\d+)/output", self.path)
        size = int(found[1]) if found else 0
        first, stop = 0, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked:
            first, stop = int(asked[1]), int(asked[2]) + 1
        tree_hash = content(size).tree_hash(first, stop)
        self.answer(
            206 if asked else 200,
            {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(stop - first),
                "x-amz-sha256-tree-hash": tree_hash,
            },
        )
        for piece in content(size).read(first, stop):
            self.connection.sendall(piece)


class SinkHandler(_Handler):
    """As much of S3 as an upload needs; nothing is kept."""

    def do_PUT(self) -> None:
        """PutObject and UploadPart."""
        remaining = int(self.headers["Content-Length"])
        if self.headers.get("Expect") == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        buffer = memoryview(bytearray(MIB))
        while remaining:
            received = self.rfile.readinto(buffer[: min(MIB, remaining)])
            if not received:
                return
            remaining -= received
        self.answer(200, {"ETag": f'"{hashlib.sha256(self.path.encode()).hexdigest()[:32]}"'})

    def do_POST(self) -> None:
        """CreateMultipartUpload and CompleteMultipartUpload."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "uploadId" in self.path:
            body = b'<CompleteMultipartUploadResult><ETag>"0"</ETag></CompleteMultipartUploadResult>'
        else:
            body = b"<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>"
        self.answer(200, {"Content-Type": "application/xml"}, body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever measures may hang up."""


HANDLERS: dict[str, type[_Handler]] = {"glacier": GlacierHandler, "s3": SinkHandler}


@contextmanager
def running(*kinds: str) -> Iterator[dict[str, str]]:
    """Servers of these kinds (see `HANDLERS`), until the block ends; their URLs by kind."""
    with ExitStack() as stack:
        yield {kind: stack.enter_context(_process(kind)) for kind in kinds}


@contextmanager
def _process(kind: str) -> Iterator[str]:
    command = [sys.executable, "-m", __name__, kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - this module
    output: IO[bytes] | Any = process.stdout
    try:
        port = int(output.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        output.close()


def main(kind: str) -> None:
    """Serve until ended."""
    server = _Server(("127.0.0.1", 0), HANDLERS[kind])
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
