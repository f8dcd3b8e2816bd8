"""Keep the counters of runs: exactly, however the stream of changes is cut and replayed."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solution.application.ports.counters import MAX_SLOTS_PER_COMMIT, SeenSlot, SlotUpdate, Tally
from solution.application.use_cases.completion import release
from solution.contract import tables
from solution.domain.errors import TransientError
from solution.domain.status import ArchiveStatus, Metric, milestones

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from solution.application.ports.clock import Clock
    from solution.application.ports.counters import Counters
    from solution.application.ports.facilitator import Facilitator
    from solution.application.ports.records import RunFactsReader
    from solution.application.use_cases.backoff import FullJitter

_log = logging.getLogger(__name__)

_ATTEMPTS = 12
_ID_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One archive's change of state, as a stream record tells it.

    ``record_id`` identifies the stream record, however often it is delivered; ``slot`` is the second it was written in.
    Before and after, the archive belongs to an attempt of the run.
    """

    run: str
    record_id: bytes
    slot: int
    size: int
    before: ArchiveStatus | None
    after: ArchiveStatus | None
    attempt_before: int = 0
    attempt_after: int = 0

    @property
    def matters(self) -> bool:
        """Whether any counter could move."""
        before, after = milestones(self.before), milestones(self.after)
        return before != after or (bool(after) and self.attempt_before != self.attempt_after)

    @property
    def is_final(self) -> bool:
        """Whether the archive ended by it."""
        return self.before is not self.after and self.after in (ArchiveStatus.DOWNLOADED, ArchiveStatus.FAILED)

    def moves(self, counted_from: int) -> dict[Metric, int]:
        """What it adds to each counter, -1 or 1, where archives of attempts before ``counted_from`` are none of its."""
        before = milestones(self.before) if self.attempt_before >= counted_from else frozenset()
        after = milestones(self.after) if self.attempt_after >= counted_from else frozenset()
        return dict.fromkeys(after - before, 1) | dict.fromkeys(before - after, -1)


def parse_change(record: Mapping[str, Any]) -> Change | None:
    """Read a record of the table's stream; None for records that are not about an archive's state."""
    change = record["dynamodb"]
    key = change["Keys"]
    owner = tables.split_archive_pk(key[tables.PK]["S"])
    if owner is None or key[tables.SK]["S"] != tables.META:
        return None
    old, new = change.get("OldImage") or {}, change.get("NewImage") or {}
    size = (new or old).get(tables.ArchiveItem.SIZE)
    if size is None:
        return None
    identity = f"{key[tables.PK]['S']} {change['SequenceNumber']}".encode()
    return Change(
        run=owner[0],
        record_id=hashlib.blake2b(identity, digest_size=_ID_BYTES).digest(),
        slot=int(change["ApproximateCreationDateTime"]),
        size=int(size["N"]),
        before=_status(old),
        after=_status(new),
        attempt_before=_attempt(old),
        attempt_after=_attempt(new),
    )


def _status(image: Mapping[str, Any]) -> ArchiveStatus | None:
    status = image.get(tables.ArchiveItem.STATUS)
    return ArchiveStatus(status["S"]) if status else None


def _attempt(image: Mapping[str, Any]) -> int:
    attempt = image.get(tables.ArchiveItem.ATTEMPT)
    return int(attempt["N"]) if attempt else 0


class CountChanges:
    """Adds each change to its run's counters once.

    The ids of counted stream records are kept per second they were written in, in items that are updated in one
    transaction with the counters and only if nobody else has updated them since they were read. So a change is counted
    if and only if its id is kept. Changes that move no counter are not kept: they may come as often as they like.

    A resume restates the counters (`solution.application.use_cases.recount`). From then on what the stream still tells
    of earlier attempts moves nothing, however late it comes, and that it may have been lost matters no more.
    """

    def __init__(
        self,
        *,
        counters: Counters,
        runs: RunFactsReader,
        facilitator: Facilitator,
        clock: Clock,
        jitter: FullJitter,
    ) -> None:
        self._counters = counters
        self._runs = runs
        self._facilitator = facilitator
        self._clock = clock
        self._jitter = jitter

    def __call__(self, changes: Iterable[Change]) -> None:
        """Count; raises `TransientError` when too many others count at the same moment."""
        by_run: dict[str, dict[int, dict[bytes, Change]]] = defaultdict(lambda: defaultdict(dict))
        for change in changes:
            if change.matters:
                by_run[change.run][change.slot][change.record_id] = change
        for run, by_slot in by_run.items():
            slots = sorted(by_slot)
            for start in range(0, len(slots), MAX_SLOTS_PER_COMMIT):
                self._count(run, {slot: by_slot[slot] for slot in slots[start : start + MAX_SLOTS_PER_COMMIT]})
            if any(change.is_final for slot in by_slot.values() for change in slot.values()):
                self._release_if_complete(run)

    def _count(self, run: str, by_slot: Mapping[int, Mapping[bytes, Change]]) -> None:
        for attempt in range(_ATTEMPTS):
            memory = self._counters.memory(run, by_slot)
            fresh: list[Change] = []
            updates: list[SlotUpdate] = []
            for slot, changes in by_slot.items():
                seen = memory.slots.get(slot, _EMPTY)
                new = [
                    change
                    for record_id, change in changes.items()
                    if record_id not in seen.ids and change.moves(memory.counted_from)
                ]
                if new:
                    fresh += new
                    ids = [change.record_id for change in new]
                    updates.append(SlotUpdate(slot=slot, version=seen.version, ids=ids))
            delta = _delta(fresh, memory.counted_from)
            if not fresh or self._counters.commit(run, delta, updates, counted_from=memory.counted_from):
                return
            self._clock.sleep(self._jitter.delay(attempt))
        raise TransientError(f"the counters of run {run!r} were taken at each of {_ATTEMPTS} attempts")

    def _release_if_complete(self, run: str) -> None:
        tally = self._counters.read(run)
        if tally is None or not tally.complete:
            return
        facts = self._runs.facts(run)
        if facts is None:
            _log.error("A run that is not known has ended", extra={"workflow_run": run})
            return
        release(self._facilitator, self._clock, run=run, execution_name=facts.execution_name, tally=tally)


_EMPTY = SeenSlot(version=0, ids=frozenset())


def _delta(changes: Iterable[Change], counted_from: int) -> Tally:
    archives: Counter[Metric] = Counter()
    size: Counter[Metric] = Counter()
    for change in changes:
        for metric, one in change.moves(counted_from).items():
            archives[metric] += one
            size[metric] += one * change.size
    return Tally(archives=archives, size=size)
