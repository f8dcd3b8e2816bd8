"""Takes what an earlier attempt left unfinished out of it, so that the present one can begin anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solution.application.ports.archive_scan import ArchiveStops
    from solution.contract.messages import WorkBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class StopArchives:
    """Stops a batch of archives.

    The multipart upload of a stopped archive is forgotten, not carried on: parts of the earlier attempt may still be on
    their way while the next one begins, and which of them count would have to be argued. A part's record names its
    upload and counts only while that upload is the archive's, so what comes late counts for nothing. The forgotten
    uploads themselves are aborted with the rest by the clean-up that ends every attempt.
    """

    stops: ArchiveStops

    def __call__(self, batch: WorkBatch) -> int:
        """Returns how many archives were stopped; those that had moved on are not among them."""
        return self.stops.stop(batch.workflow_run, batch.archive_ids, attempt=batch.attempt)
