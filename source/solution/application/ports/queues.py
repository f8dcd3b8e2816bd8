"""Queues that functions write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class MessageQueue(Protocol):
    """A queue, written in batches."""

    def send(self, bodies: Sequence[str]) -> list[int]:
        """Send any number of messages; returns the positions of those that were not accepted."""
        ...


class Redelivery(Protocol):
    """When a message that failed comes again."""

    def postpone(self, receipt: str, seconds: int) -> None:
        """Let the message with this receipt come again after ``seconds``, not when its visibility times out."""
        ...
