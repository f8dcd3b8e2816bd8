"""How fast one chunk passes, and in how much memory: from Glacier over HTTP to S3 over HTTP, both local.

Measured is CPU time of this process, the kernel's work for it included; the ends are processes of their own and do not
count. Beside it stand, from the same run:

- the bound: tree hash and SHA-256 over the same bytes, which lie in memory;
- the bound in cache: the same over one MiB that never leaves the processor's cache, which no stream of bytes is;
- a bare loop over two plain sockets that receives, hashes twice and sends, and knows neither HTTP client nor proof: a
  copy cannot do without any of this.

All four are measured in each round, one right after the other and in turns in both orders, for the machine is not
equally quick all the time. A share is the median over the rounds of what one round gave, so what slows a whole round
down does not count. Small chunks, whose times vary more, get more rounds.

``python -m tests.bench.throughput GLACIER_URL S3_URL MIB`` measures one size in a fresh process and prints JSON; with
``memory`` behind it, memory alone.
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
from collections.abc import Callable, Iterator
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

FEWEST_ROUNDS, MOST_ROUNDS = 5, 40
MIB_IN_ALL_ROUNDS = 2560


def rounds(mib: int) -> int:
    """How often a size is measured."""
    return max(FEWEST_ROUNDS, min(MOST_ROUNDS, MIB_IN_ALL_ROUNDS // mib))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """CPU seconds of each, measured within the same few seconds; of the copy also the kernel's part."""

    bound: float
    bound_in_cache: float
    bare: float
    copy: float
    system: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One size. Times are in CPU seconds, shares of speed per CPU second, both medians over the rounds."""

    mib: int
    rounds: tuple[Round, ...]
    memory_growth: int | None
    """Bytes that were resident at the most beyond those before; None where the system does not tell (not Linux)."""

    def median(self, of: Callable[[Round], float]) -> float:
        """Of one figure per round."""
        return statistics.median(map(of, self.rounds))

    @property
    def of_bound(self) -> float:
        """Share of the bound's speed."""
        return self.median(lambda one: one.bound / one.copy)

    @property
    def of_bound_quartiles(self) -> tuple[float, float]:
        """Between them lies the share in half of the rounds."""
        low, _, high = statistics.quantiles((one.bound / one.copy for one in self.rounds), n=4, method="inclusive")
        return low, high

    @property
    def of_bound_in_cache(self) -> float:
        """Share of the speed of hashing what is in cache."""
        return self.median(lambda one: one.bound_in_cache / one.copy)

    @property
    def of_bare(self) -> float:
        """Share of the bare loop's speed: what is missing is what our code and its libraries add."""
        return self.median(lambda one: one.bare / one.copy)


def measure(glacier_url: str, s3_url: str, mib: int) -> Pass:
    """Measure one size in a fresh process."""
    answer = _in_fresh_process(glacier_url, s3_url, mib)
    return Pass(
        mib=mib,
        rounds=tuple(Round(**one) for one in answer["rounds"]),
        memory_growth=answer["memory_growth"],
    )


def memory_growth(glacier_url: str, s3_url: str, mib: int) -> int | None:
    """Measure the memory of one size in a fresh process."""
    growth: int | None = _in_fresh_process(glacier_url, s3_url, mib, "memory")["memory_growth"]
    return growth


def _in_fresh_process(glacier_url: str, s3_url: str, mib: int, *more: str) -> Any:
    command = [sys.executable, "-m", __name__, glacier_url, s3_url, str(mib), *more]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - this module
    return json.loads(answer.stdout)


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


def _growth_here(copier: Copier, mib: int) -> int | None:
    copier.copy(1)  # imports, connections
    before = _resident("VmRSS")
    if before is not None:
        _forget_peak()
    copier.copy(mib)
    peak = _resident("VmHWM")
    return None if before is None or peak is None else peak - before


def _rounds_here(copier: Copier, glacier_url: str, s3_url: str, mib: int) -> Iterator[Round]:
    content = memoryview(bytearray(os.urandom(MIB) * mib))
    works: dict[str, Callable[[], None]] = {
        "bound": lambda: _hash(content),
        "copy": lambda: copier.copy(mib),
        "bare": lambda: _carry(glacier_url, s3_url, mib),
        "bound_in_cache": lambda: _hash_in_cache(mib),
    }
    for number in range(rounds(mib)):
        order = list(works) if number % 2 else list(reversed(works))
        times = {name: _cpu(works[name]) for name in order}
        yield Round(**{name: sum(time) for name, time in times.items()}, system=times["copy"][1])


def _main(glacier_url: str, s3_url: str, mib: int, *, memory_alone: bool) -> dict[str, Any]:
    copier = Copier(glacier_url, s3_url)
    growth = _growth_here(copier, mib)
    measured = [] if memory_alone else list(_rounds_here(copier, glacier_url, s3_url, mib))
    return {"memory_growth": growth, "rounds": [asdict(one) for one in measured]}


if __name__ == "__main__":
    found = _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), memory_alone=sys.argv[4:] == ["memory"])
    sys.stdout.write(json.dumps(found))
