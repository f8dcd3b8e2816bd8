"""MiniStack in a process of its own, on a free port: DynamoDB, SQS and S3 for ports and benchmarks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def running(home: Path) -> Iterator[str]:
    """Its URL, until the block ends; ``home`` takes its log and its files."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
    }
    log = Path(home, "log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=home, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with suppress(OSError), urllib.request.urlopen(f"{url}/_ministack/health", timeout=5):  # noqa: S310 - our own
                break
            if process.poll() is not None:
                message = f"MiniStack ended: {log.read_text()[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)
