"""What would leave the system, kept in lists."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from solution.domain.errors import NotPossible, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class InMemoryNotices:
    """`solution.application.ports.notices.Notices`; ``sent`` holds subjects and texts."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def publish(self, *, subject: str, text: str) -> None:
        self.sent.append((subject, text))


class InMemoryStats:
    """`solution.application.ports.notices.StatsEndpoint`; fails when told to."""

    def __init__(self, *, failing: bool = False) -> None:
        self.failing = failing
        self.sent: list[tuple[str, dict[str, object]]] = []

    def send(self, endpoint: str, statistics: Mapping[str, object]) -> None:
        if self.failing:
            raise TransientError(f"{endpoint} answered with status 500")
        self.sent.append((endpoint, dict(statistics)))


class InMemoryWeb:
    """`solution.application.ports.notices.WebSource` with ``pages`` by URL, given in pieces of ``piece`` bytes."""

    def __init__(self, pages: Mapping[str, bytes], *, piece: int = 7) -> None:
        self.pages = pages
        self.piece = piece

    @contextmanager
    def open(self, url: str) -> Iterator[Iterator[bytes]]:
        if url not in self.pages:
            raise NotPossible("the host answered with status 404")
        body = self.pages[url]
        yield (body[first : first + self.piece] for first in range(0, len(body), self.piece))


class InMemoryUnfinishedUploads:
    """`solution.application.ports.notices.UnfinishedUploads`; ``keys`` of the open uploads."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)

    def abort_all(self, key_prefix: str) -> int:
        kept = [key for key in self.keys if not key.startswith(key_prefix)]
        aborted = len(self.keys) - len(kept)
        self.keys = kept
        return aborted
