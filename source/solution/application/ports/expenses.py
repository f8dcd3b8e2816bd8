"""What a run has asked Glacier for, all its attempts together: the largest part of what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from solution.domain.archive import Tier
    from solution.domain.costs import Asked


class Expenses(Protocol):
    """Requests that Glacier has taken, by tier; kept for the report, and nothing is decided by them."""

    def add(self, run: str, tier: Tier, asked: Asked) -> None:
        """Count what was just asked for. Not repeated safely: a repetition counts again."""
        ...

    def read(self, run: str) -> Mapping[Tier, Asked]:
        """What was counted; tiers that were never used are absent."""
        ...
