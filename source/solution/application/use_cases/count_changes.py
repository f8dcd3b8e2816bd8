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
    """

    run: str
    record_id: bytes
    slot: int
    size: int
    before: ArchiveStatus | None
    after: ArchiveStatus | None

    @property
    def gained(self) -> frozenset[Metric]:
        """Counters that the archive enters."""
        return milestones(self.after) - milestones(self.before)

    @property
    def lost(self) -> frozenset[Metric]:
        """Counters that the archive leaves."""
        return milestones(self.before) - milestones(self.after)


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
    )


def _status(image: Mapping[str, Any]) -> ArchiveStatus | None:
    status = image.get(tables.ArchiveItem.STATUS)
    return ArchiveStatus(status["S"]) if status else None


class CountChanges:
    """Adds each change to its run's counters once.

    The ids of counted stream records are kept per second they were written in, in items that are updated in one
    transaction with the counters and only if nobody else has updated them since they were read. So a change is counted
    if and only if its id is kept. Changes that move no counter are not kept: they may come as often as they like.
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
            if change.gained or change.lost:
                by_run[change.run][change.slot][change.record_id] = change
        for run, by_slot in by_run.items():
            slots = sorted(by_slot)
            for start in range(0, len(slots), MAX_SLOTS_PER_COMMIT):
                self._count(run, {slot: by_slot[slot] for slot in slots[start : start + MAX_SLOTS_PER_COMMIT]})
            if any(_is_final(change) for slot in by_slot.values() for change in slot.values()):
                self._release_if_complete(run)

    def _count(self, run: str, by_slot: Mapping[int, Mapping[bytes, Change]]) -> None:
        for attempt in range(_ATTEMPTS):
            seen = self._counters.seen(run, by_slot)
            fresh: list[Change] = []
            updates: list[SlotUpdate] = []
            for slot, changes in by_slot.items():
                memory = seen.get(slot, _EMPTY)
                new = [change for record_id, change in changes.items() if record_id not in memory.ids]
                if new:
                    fresh += new
                    ids = [change.record_id for change in new]
                    updates.append(SlotUpdate(slot=slot, version=memory.version, ids=ids))
            if not fresh or self._counters.commit(run, _delta(fresh), updates):
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


def _is_final(change: Change) -> bool:
    return not {Metric.DOWNLOADED, Metric.FAILED}.isdisjoint(change.gained)


def _delta(changes: Iterable[Change]) -> Tally:
    archives: Counter[Metric] = Counter()
    size: Counter[Metric] = Counter()
    for change in changes:
        for metric in change.gained:
            archives[metric] += 1
            size[metric] += change.size
        for metric in change.lost:
            archives[metric] -= 1
            size[metric] -= change.size
    return Tally(archives=archives, size=size)
