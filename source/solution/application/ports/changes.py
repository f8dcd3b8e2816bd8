"""The stream of changes of the table GlacierObjectRetrieval, read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from solution.contract.messages import UncountedChanges


class ChangeStream(Protocol):
    """What the stream still holds: changes of the last 24 hours."""

    def read(self, changes: UncountedChanges) -> Iterator[Mapping[str, Any]]:
        """Stream records in order, as Lambda would have delivered them.

        Raises `NotPossible` when the stream does not hold all of them any more.
        """
        ...
