"""What copying a vault costs: counted in requests, priced from the table ``prices.json``.

List prices without free tiers and volume discounts; the table names region, date and pages. Glacier and S3 bill a GB of
2^30 bytes. What running the solution itself takes per archive and per chunk was counted over its handlers
(``python -m tests.bench transfer``), but for the time that functions wait, which is assumed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Final

from solution.domain.archive import MAX_OBJECT_BYTES, StorageClass, Tier
from solution.domain.chunk_plan import plan_chunks
from solution.domain.errors import InvalidInput

GIB: Final = 1024**3
CHUNK_MIB: Final = 256
"""The stack's default."""

_MIB: Final = 1024**2
_LEAST_BYTES: Final = 128 * 1024

_OVERHEAD_ARCHIVE: Final = 32 * 1024
_OVERHEAD_STANDARD: Final = 8 * 1024
"""Kept beside each object of the archive classes, at their price and at S3 Standard's ("Amazon S3 pricing")."""

_ARCHIVE: Final = {"writes": 4.3, "reads": 1.1, "messages": 3.3, "invocations": 1.2, "log_bytes": 500.0}
_CHUNK: Final = {"writes": 2.2, "reads": 0.25, "messages": 2.2, "invocations": 1.0, "log_bytes": 470.0}
"""For an archive of one chunk; and for each chunk of an archive of several."""

_HALF_A_CENT: Final = 0.005

_TRANSITIONS: Final = 0.02
"""A batch of 100 archives is one child execution and one state."""

_GB: Final = 1769 / 1024
_SECONDS_PER_CHUNK: Final = 0.3
_BYTES_PER_SECOND: Final = 60 * 1024**2
"""Memory of the copying function, and what it is assumed to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is to be copied. ``chunks`` are those of archives that have several; what S3 cannot hold is ``skipped``."""

    archives: int
    size: int
    large: int
    chunks: int
    padded: int
    """Bytes that storage classes with a least size add, at 128 KiB an object."""
    skipped: int
    skipped_size: int


@dataclass(slots=True)
class Meter:
    """Adds up archives one by one, or by their number, in little memory. Chunks are of ``chunk_mib``, or larger."""

    chunk_mib: int = CHUNK_MIB
    _totals: Counter[str] = field(default_factory=Counter)

    def add(self, size: int, count: int = 1) -> None:
        """``count`` archives of ``size`` bytes."""
        totals = self._totals
        if size > MAX_OBJECT_BYTES:
            totals["skipped"] += count
            totals["skipped_size"] += count * size
            return
        totals["archives"] += count
        totals["size"] += count * size
        totals["padded"] += count * max(0, _LEAST_BYTES - size)
        # what is smaller than a chunk has one, and most are
        parts = plan_chunks(size, self.chunk_mib).count if size > self.chunk_mib * _MIB else 1
        if parts > 1:
            totals["large"] += count
            totals["chunks"] += count * parts

    @property
    def workload(self) -> Workload:
        """What was added."""
        return Workload(**{name: self._totals[name] for name in Workload.__slots__})


def workload(sizes: Mapping[int, int]) -> Workload:
    """Adds up archives, given as their number by size."""
    meter = Meter()
    for size, count in sizes.items():
        meter.add(size, count)
    return meter.workload


def equal_sizes(archives: int, size: int) -> dict[int, int]:
    """So many archives, as equal as whole bytes allow."""
    if archives < 0 or size < archives or (size and not archives):
        raise InvalidInput(
            f"{archives} archives of {size} bytes in all cannot be: an archive has at least one byte; "
            "check --archives and --bytes"
        )
    if not archives:
        return {}
    least, larger = divmod(size, archives)
    return {length: count for length, count in ((least, archives - larger), (least + 1, larger)) if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of the bill."""

    name: str
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """``once`` for the copy, ``monthly`` for keeping the copies, ``vault_monthly`` for keeping the vault."""

    once: tuple[Item, ...]
    monthly: float
    vault_monthly: float

    @property
    def total(self) -> float:
        """Dollars for the copy."""
        return sum(item.dollars for item in self.once)


@cache
def prices() -> dict[str, Any]:
    """The price table."""
    table: dict[str, Any] = json.loads(resources.files("solution.domain").joinpath("prices.json").read_text("utf-8"))
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Requests to Glacier of one tier, and the bytes that they retrieve; the extension of a window retrieves none."""

    requests: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a run has spent until now. ``once`` until now; ``monthly`` for keeping what is copied."""

    once: tuple[Item, ...]
    monthly: float

    @property
    def total(self) -> float:
        """Dollars until now."""
        return sum(item.dollars for item in self.once)

    def as_json(self) -> dict[str, Any]:
        """For machines, in US dollars, with what the prices are."""
        table = prices()
        return {
            "items": {item.name: round(item.dollars, 4) for item in self.once},
            "total": round(self.total, 4),
            "storage_per_month": round(self.monthly, 4),
            "prices": {"region": table["region"], "as_of": table["as_of"]},
            "assumed": assumed(),
        }


def assumed() -> str:
    """What must be known to read any of these numbers."""
    table = prices()
    return (
        f"an estimate, from list prices of {table['region']} as of {table['as_of']}, without free tiers, discounts and "
        "transfer to other regions; requests are counted, what running the solution costs is rough"
    )


def dollars_text(amount: float) -> str:
    """Dollars and cents."""
    return "< $0.01" if 0 < amount < _HALF_A_CENT else f"${amount:,.2f}"


def bill(load: Workload, *, tier: Tier, storage_class: StorageClass) -> Bill:
    """Price a workload."""
    table = prices()
    asked = {tier: Asked(requests=load.archives, size=load.size)}
    once = (*_retrieval(asked, table), *_storing(load, storage_class, table), *_running(load, table))
    vault = load.size + load.skipped_size + (load.archives + load.skipped) * _OVERHEAD_ARCHIVE
    return Bill(
        once=once,
        monthly=_keeping(load, storage_class, table),
        vault_monthly=vault / GIB * table["vault_storage"]["per_gib_month"],
    )


def spending(copied: Workload, asked: Mapping[Tier, Asked], *, storage_class: StorageClass) -> Spending:
    """Price what a run has done: archives ``copied``, and what was ``asked`` for, in all its attempts."""
    table = prices()
    handled = max(copied.archives, sum(one.requests for one in asked.values()))
    once = (
        *_retrieval(asked, table),
        *_storing(copied, storage_class, table),
        # an archive that was asked for and not copied has cost a part of it, and each extension of a window as well
        *_running(replace(copied, archives=handled), table),
    )
    return Spending(once=once, monthly=_keeping(copied, storage_class, table))


def _retrieval(asked: Mapping[Tier, Asked], table: Mapping[str, Any]) -> Iterable[Item]:
    for tier, one in sorted(asked.items()):
        price = table["retrieval"][tier.value]
        yield Item(name=f"Glacier, {tier} retrieval of bytes", dollars=one.size / GIB * price["per_gib"])
        yield Item(name=f"Glacier, {tier} requests", dollars=one.requests / 1000 * price["per_1000_requests"])


def _storing(load: Workload, storage_class: StorageClass, table: Mapping[str, Any]) -> Iterable[Item]:
    target = table["storage_classes"][storage_class.value]
    standard = table["storage_classes"][StorageClass.STANDARD.value]
    # parts wait in S3 Standard; completing moves them ("Multipart upload and pricing", Amazon S3 User Guide)
    parts = load.large + load.chunks
    yield Item(name=f"S3, objects stored as {storage_class}", dollars=load.archives / 1000 * target["per_1000_puts"])
    yield Item(name="S3, parts of large objects", dollars=parts / 1000 * standard["per_1000_puts"])


def _keeping(load: Workload, storage_class: StorageClass, table: Mapping[str, Any]) -> float:
    target = table["storage_classes"][storage_class.value]
    standard = table["storage_classes"][StorageClass.STANDARD.value]
    overhead = load.archives * target["archive_overhead"]
    kept = load.size + overhead * _OVERHEAD_ARCHIVE + (load.padded if target["least_bytes"] else 0)
    monthly: float = kept / GIB * target["per_gib_month"]
    return monthly + float(overhead * _OVERHEAD_STANDARD / GIB * standard["per_gib_month"])


def _running(load: Workload, table: Mapping[str, Any]) -> Iterable[Item]:
    def used(what: str) -> float:
        return load.archives * _ARCHIVE[what] + load.chunks * _CHUNK[what]

    calls = load.archives - load.large + load.chunks
    gb_seconds = _GB * (calls * _SECONDS_PER_CHUNK + load.size / _BYTES_PER_SECOND)
    database, functions = table["dynamodb"], table["lambda"]
    yield Item(
        name="Lambda",
        dollars=used("invocations") / 1e6 * functions["per_million_requests"] + gb_seconds * functions["per_gb_second"],
    )
    yield Item(
        name="DynamoDB",
        dollars=used("writes") / 1e6 * database["per_million_writes"]
        + used("reads") / 1e6 * database["per_million_reads"],
    )
    yield Item(
        name="SQS, SNS, Step Functions, logs",
        dollars=used("messages") / 1e6 * table["sqs"]["per_million_requests"]
        + load.archives / 1e6 * table["sns"]["per_million_publishes"]
        + load.archives * _TRANSITIONS / 1000 * table["step_functions"]["per_1000_transitions"]
        + used("log_bytes") / GIB * table["logs"]["per_gib"],
    )
