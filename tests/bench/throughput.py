"""How fast one chunk passes, and in how much memory: from Glacier over HTTP to S3 over HTTP, both local.

Measured is CPU time of this process, which the ends, in processes of their own, do not disturb. Beside it stand, from
the same run, the bound (tree hash and SHA-256 over the same bytes, one MiB in memory) and what the kernel takes to
carry the bytes from one socket to the other in a bare loop: a copy cannot do without either.

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
from solution.application.in_memory.records import InMemoryTransferRecords
from solution.application.ports.objects import BLOCK_BYTES
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
    moving: float
    user: float
    system: float
    memory_growth: int | None
    """How much more was resident at the most than before; None where the system does not tell (not Linux)."""

    @property
    def of_bound(self) -> float:
        """Share of the bound's speed, per CPU second of this process, the kernel's work for it included."""
        return self.bound / (self.user + self.system)

    @property
    def of_bound_in_user_mode(self) -> float:
        """The same without the kernel's carrying of bytes: what our code adds to the hashing."""
        return self.bound / self.user

    @property
    def of_bound_and_moving(self) -> float:
        """Share of the speed of a loop that only hashes and carries."""
        return (self.bound + self.moving) / (self.user + self.system)


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
            clock=self._clock,
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


def _hash(mib: int) -> None:
    """The bound: the same two hashes over as many bytes, from one MiB that is in memory."""
    block = memoryview(os.urandom(MIB))
    tree, whole = TreeHasher(), hashlib.sha256()
    for _ in range(mib):
        tree.update(block)
        whole.update(block)
    tree.digest()
    whole.digest()


def _move(glacier_url: str, s3_url: str, mib: int) -> None:
    """Carry as many bytes from socket to socket, and nothing else."""
    remaining = mib * MIB
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
            sink.sendall(buffer[:received])
            remaining -= received
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
    bounds, moves, copies = [], [], []
    peak = None
    for _ in range(ROUNDS):
        copies.append(_cpu(lambda: copier.copy(mib)))
        peak = _resident("VmHWM")
        bounds.append(sum(_cpu(lambda: _hash(mib))))
        moves.append(sum(_cpu(lambda: _move(glacier_url, s3_url, mib))))
    user, system = sorted(copies, key=sum)[len(copies) // 2]
    return Pass(
        mib=mib,
        bound=statistics.median(bounds),
        moving=statistics.median(moves),
        user=user,
        system=system,
        memory_growth=None if before is None or peak is None else peak - before,
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_measure_here(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
