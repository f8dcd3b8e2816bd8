"""How long to wait before the next partition may be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solution.domain.errors import InvalidInput, NotPossible
from solution.domain.pacing import wait_after_partition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from solution.application.ports.clock import Clock
    from solution.application.ports.records import RunFactsReader


class CalculateTimeout:
    """Spreads a run over the budget of bytes per period."""

    def __init__(self, *, runs: RunFactsReader, clock: Clock, budget_bytes: int, period: timedelta) -> None:
        self._runs = runs
        self._clock = clock
        self._budget_bytes = budget_bytes
        self._period = period

    def __call__(self, run: str, partition: Mapping[str, str]) -> int:
        """Seconds to wait after ``partition``, a row of ``partitions.csv``."""
        facts = self._runs.facts(run)
        if facts is None or facts.partition_started_at is None:
            raise NotPossible(f"run {run!r} has no partition under way; its record must say when the partition began")
        try:
            requested_bytes = int(partition["Bytes"])
            last = partition["Last"].strip().lower() == "true"
        except (KeyError, ValueError) as error:
            raise InvalidInput(f"not a row of partitions.csv, which has Bytes and Last: {dict(partition)!r}") from error
        return wait_after_partition(
            requested_bytes=requested_bytes,
            budget_bytes=self._budget_bytes,
            period=self._period,
            started=facts.partition_started_at,
            now=self._clock.now(),
            last=last,
        )
