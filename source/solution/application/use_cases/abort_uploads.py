"""What a run leaves unfinished in the destination bucket costs money until it is aborted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solution.contract.object_keys import destination_key

if TYPE_CHECKING:
    from solution.application.ports.notices import DestinationUploads


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortUploads:
    """Aborts the multipart uploads of one run, never of another: ``run-1/`` is no prefix of ``run-10/``."""

    uploads: DestinationUploads

    def __call__(self, run: str) -> int:
        """Returns how many were aborted."""
        return self.uploads.abort_all(destination_key(run, ""))
