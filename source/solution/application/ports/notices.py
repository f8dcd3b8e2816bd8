"""What leaves the system for people: notices to the operator, statistics, and files fetched for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager


class Notices(Protocol):
    """Tells the operator."""

    def publish(self, *, subject: str, text: str) -> None:
        """Send a notice. The subject is plain ASCII of at most 99 characters, as mail wants it."""
        ...


class StatsEndpoint(Protocol):
    """Where anonymized statistics go, if anywhere."""

    def send(self, endpoint: str, statistics: Mapping[str, object]) -> None:
        """Post the statistics as JSON. Raises `TransientError` for whatever goes wrong."""
        ...


class WebSource(Protocol):
    """Files that the user lends us by URL."""

    def open(self, url: str) -> AbstractContextManager[Iterator[bytes]]:
        """Begin to read what ``url`` gives, in pieces.

        Raises `InvalidInput` for a URL that is not http or https, `NotPossible` when the host refuses or cannot be
        reached. URLs may be presigned, that is, secret: messages name the host alone.
        """
        ...


class UnfinishedUploads(Protocol):
    """Unfinished multipart uploads in a bucket."""

    def abort_all(self, key_prefix: str) -> int:
        """Abort every upload whose key begins with ``key_prefix``; returns how many there were."""
        ...
