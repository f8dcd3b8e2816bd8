"""How fast one chunk passes, and in how much memory: from Glacier over HTTP to S3 over HTTP, both local.

Measured is CPU time of this process, the kernel's work for it included; the ends are processes of their own and do not
count. Beside it stand, from the same run:

- the bound: tree hash and SHA-256 over the same bytes, which lie in memory;
- the bound in cache: the same over one MiB that never leaves the processor's cache, which no stream of bytes is;
- a bare loop over two plain sockets that receives, hashes twice and sends, and knows neither HTTP client nor proof: a
  copy cannot do without any of this.

``python -m tests.bench.throughput GLACIER_URL S3_URL MIB`` measures one size in a fresh process and prints JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from solution.application.adapters import clients
from solution.application.adapters.clock import SystemClock
from solution.application.adapters.glacier import BotoGlacierJobs
from solution.application.adapters.objects import S3ObjectStore
from solution.application.adapters.streaming import stream_bodies
from solution.application.in_memory.queues import InMemoryQueue
from solution.application.in_memory.records import InMemoryRunFacts, InMemoryTransferRecords
from solution.application.ports.objects import BLOCK_BYTES
from solution.application.use_cases.backoff import FullJitter
from solution.application.use_cases.standing import Standing
from solution.application.use_cases.transfer_chunk import TransferChunk
from solution.domain.status import ArchiveStatus
from solution.domain.tree_hash import MIB, TreeHasher
from tests import builders
from tests.bench import servers

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One size. Times in CPU seconds, medians of `ROUNDS`; memory in bytes."""

    mib: int
    bound: float
    bound_in_cache: float
    bare: float
    user: float
    system: float
    memory_growth: int | None
    """How much more was resident at the most than before; None where the system does not tell (not Linux)."""

    @property
    def of_bound(self) -> float:
        """Share of the bound's speed, per CPU second."""
        return self.bound / (self.user + self.system)

    @property
    def of_bound_in_cache(self) -> float:
        """Share of the speed of hashing what is in cache."""
        return self.bound_in_cache / (self.user + self.system)

    @property
    def of_bare(self) -> float:
        """Share of the bare loop's speed: what is missing is what our code and its libraries add."""
        return self.bare / (self.user + self.system)


def measure(glacier_url: str, s3_url: str, mib: int) -> Pass:
    """Measure one size in a fresh process."""
    command = [sys.executable, "-m", __name__, glacier_url, s3_url, str(mib)]
    answer = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - this module
    return Pass(**json.loads(answer.stdout))


class Copier:
    """ChunkRetrieval's use case over the real adapters; its records are in memory."""

    def __init__(self, glacier_url: str, s3_url: str) -> None:
        self._clock = SystemClock()
        self._records = InMemoryTransferRecords()
        s3 = stream_bodies(_client("s3", s3_url, clients.ONCE))
        self._transfer = TransferChunk(
            records=self._records,
            glacier=BotoGlacierJobs(_client("glacier", glacier_url, clients.ONCE), topic_arn="topic"),
            objects=S3ObjectStore(s3, streaming=s3, bucket="destination", owner="000000000000"),
            validations=InMemoryQueue(),
            standing=Standing(runs=InMemoryRunFacts(), clock=self._clock),
            clock=self._clock,
            jitter=FullJitter(),
        )

    def copy(self, mib: int) -> None:
        """Copy an archive of one chunk."""
        size = mib * MIB
        archive = builders.archive(f"{size}", size=size, tree_hash=servers.content(size).tree_hash())
        known = self._records.records
        known.pop((builders.RUN, archive.archive_id), None)
        self._records.create([builders.record(archive, chunk_size=size)])
        now = self._clock.now()
        job_id = f"{servers.JOB_PREFIX}{size}"
        self._records.stage(
            builders.RUN, archive.archive_id, job_id=job_id, window_end=now + timedelta(days=1), now=now
        )
        self._transfer(builders.chunk_message(archive, job_id=job_id, chunk_size=size))
        assert known[builders.RUN, archive.archive_id].status is ArchiveStatus.DOWNLOADED


def _client(service: Any, url: str, config: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )


class Hashes:
    """The two hashes of every byte: leaves of a tree, and SHA-256 over the whole."""

    def __init__(self) -> None:
        self._tree, self._whole = TreeHasher(), hashlib.sha256()

    def update(self, block: memoryview) -> None:
        """Hash twice."""
        self._tree.update(block)
        self._whole.update(block)

    def digest(self) -> tuple[bytes, bytes]:
        """Both."""
        return self._tree.digest(), self._whole.digest()


def _hash(content: memoryview) -> None:
    """The bound: leaf by leaf."""
    hashes = Hashes()
    for start in range(0, len(content), MIB):
        hashes.update(content[start : start + MIB])
    hashes.digest()


def _hash_in_cache(mib: int) -> None:
    """One MiB, again and again."""
    block, hashes = memoryview(os.urandom(MIB)), Hashes()
    for _ in range(mib):
        hashes.update(block)
    hashes.digest()


def _carry(glacier_url: str, s3_url: str, mib: int) -> None:
    """The bare loop: receive, hash, send."""
    remaining, hashes = mib * MIB, Hashes()
    source, sink = (
        socket.create_connection((parts.hostname or "", parts.port or 0))
        for parts in map(urlsplit, (glacier_url, s3_url))
    )
    with source, sink, source.makefile("rb") as body:
        source.sendall(
            f"GET /-/vaults/v/jobs/{servers.JOB_PREFIX}{remaining}/output HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        sink.sendall(f"PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: {remaining}\r\n\r\n".encode())
        while body.readline().strip():
            pass
        buffer = memoryview(bytearray(BLOCK_BYTES))
        while remaining:
            received = body.readinto(buffer[:remaining])
            hashes.update(buffer[:received])
            sink.sendall(buffer[:received])
            remaining -= received
        hashes.digest()
        sink.recv(1024)


def _cpu(work: Callable[[], None]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime


def _resident(field: str) -> int | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(field))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _measure_here(glacier_url: str, s3_url: str, mib: int) -> Pass:
    copier = Copier(glacier_url, s3_url)
    copier.copy(1)  # imports, connections
    before = _resident("VmRSS")
    if before is not None:
        _forget_peak()
    copier.copy(mib)
    peak = _resident("VmHWM")
    content = memoryview(bytearray(os.urandom(MIB) * mib))
    bounds, cached, bare, copies = [], [], [], []
    for _ in range(ROUNDS):
        copies.append(_cpu(lambda: copier.copy(mib)))
        bounds.append(sum(_cpu(lambda: _hash(content))))
        cached.append(sum(_cpu(lambda: _hash_in_cache(mib))))
        bare.append(sum(_cpu(lambda: _carry(glacier_url, s3_url, mib))))
    user, system = sorted(copies, key=sum)[len(copies) // 2]
    return Pass(
        mib=mib,
        bound=statistics.median(bounds),
        bound_in_cache=statistics.median(cached),
        bare=statistics.median(bare),
        user=user,
        system=system,
        memory_growth=None if before is None or peak is None else peak - before,
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_measure_here(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
