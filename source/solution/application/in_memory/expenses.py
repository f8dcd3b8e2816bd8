"""What runs have asked Glacier for, in a dictionary."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from solution.domain.costs import Asked

if TYPE_CHECKING:
    from solution.domain.archive import Tier


class InMemoryExpenses:
    """`solution.application.ports.expenses.Expenses`."""

    def __init__(self) -> None:
        self.by_run: dict[str, dict[Tier, Asked]] = defaultdict(dict)

    def add(self, run: str, tier: Tier, asked: Asked) -> None:
        before = self.by_run[run].get(tier, Asked())
        self.by_run[run][tier] = Asked(requests=before.requests + asked.requests, size=before.size + asked.size)

    def read(self, run: str) -> dict[Tier, Asked]:
        return dict(self.by_run[run])
