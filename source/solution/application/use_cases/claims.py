"""Asking again, by a rule whose ticks may overlap: who has noted it in the archive's record asks, nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from solution.application.ports.clock import Clock
    from solution.application.ports.records import ArchiveRecord, TransferRecords
    from solution.application.use_cases.asking import Wish


@dataclass(slots=True, kw_only=True)
class Claims:
    """Notes that Glacier is asked for archives before it is, and takes that back for what it has not heard.

    ``seen``: the archives as they were read, by id. A claim holds only while an archive is as it was seen, so of two
    executions that have read the same archive one asks for it. What died in between has claimed in vain: the archive is
    left alone until an answer would be overdue, or its window has closed, whichever comes first.
    """

    records: TransferRecords
    clock: Clock
    seen: Mapping[str, ArchiveRecord]
    _claimed_at: datetime | None = field(default=None, init=False)

    def claim(self, wishes: Sequence[Wish]) -> list[Wish]:
        """Those of the wishes that are ours to ask for."""
        self._claimed_at = now = self.clock.now()
        mine = self.records.claim_asking([self.seen[wish.archive_id] for wish in wishes], now=now)
        return [wish for wish in wishes if wish.archive_id in mine]

    def release(self, wishes: Sequence[Wish]) -> None:
        """Glacier has not heard of these."""
        if wishes and self._claimed_at is not None:
            self.records.release_asking([self.seen[wish.archive_id] for wish in wishes], claimed_at=self._claimed_at)
