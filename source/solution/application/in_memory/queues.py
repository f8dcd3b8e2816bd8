"""A queue in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class InMemoryQueue:
    """`solution.application.ports.queues.MessageQueue`; ``bodies`` are what was sent, oldest first."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.refuse_next = 0

    def send(self, bodies: Sequence[str]) -> list[int]:
        refused = list(range(min(self.refuse_next, len(bodies))))
        self.refuse_next -= len(refused)
        self.bodies += bodies[len(refused) :]
        return refused


class InMemoryRedelivery:
    """`solution.application.ports.queues.Redelivery`; ``postponed`` are receipts and seconds."""

    def __init__(self) -> None:
        self.postponed: list[tuple[str, int]] = []

    def postpone(self, receipt: str, seconds: int) -> None:
        self.postponed.append((receipt, seconds))
