"""What a run leaves unfinished in its buckets costs money until it is aborted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solution.contract.object_keys import destination_key, original_inventory_key

if TYPE_CHECKING:
    from solution.application.ports.notices import UnfinishedUploads


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortUploads:
    """Aborts the multipart uploads of one run, never of another: ``run-1/`` is no prefix of ``run-10/``.

    ``destination``: those of archives. ``inventories``: that of an inventory whose copying has failed.
    """

    destination: UnfinishedUploads
    inventories: UnfinishedUploads

    def __call__(self, run: str) -> int:
        """Returns how many were aborted."""
        archives = self.destination.abort_all(destination_key(run, ""))
        return archives + self.inventories.abort_all(original_inventory_key(run))
