"""Count the changes that were given up uncounted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from solution.application.use_cases.count_changes import parse_change

if TYPE_CHECKING:
    from solution.application.ports.changes import ChangeStream
    from solution.application.use_cases.count_changes import CountChanges
    from solution.contract.messages import UncountedChanges

_log = logging.getLogger(__name__)

_AT_ONCE = 100


class CountAgain:
    """Reads from the stream again what was given up there, and counts it as its function would have.

    It makes no difference how much of it was counted after all, nor whether it comes twice: `CountChanges` knows each
    change again. What cannot be counted here either is made good by the next resume (`Recount`).
    """

    def __init__(self, *, stream: ChangeStream, count: CountChanges) -> None:
        self._stream = stream
        self._count = count

    def __call__(self, given_up: UncountedChanges) -> None:
        """Raises `NotPossible` when the stream holds them no more, for it forgets after a day."""
        found = [change for record in self._stream.read(given_up) if (change := parse_change(record)) is not None]
        for start in range(0, len(found), _AT_ONCE):
            self._count(found[start : start + _AT_ONCE])
        _log.warning("Changes that had been given up are counted", extra={"changes": len(found)})
