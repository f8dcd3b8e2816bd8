"""From Glacier's inventory job to one file in the inventory bucket, in ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from solution.application.use_cases.sized_stream import SizedStream
from solution.contract.object_keys import original_inventory_key
from solution.domain.archive import MAX_OBJECT_BYTES
from solution.domain.chunk_plan import MAX_PARTS, MIB, Chunk, ChunkPlan
from solution.domain.errors import GlacierJobError, NotPossible, TransientError, UploadVanished

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.glacier import GlacierJobs, JobState
    from solution.application.ports.inventory_files import InventoryFiles, InventoryUploads

TRANSFER_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInventory:
    """Asks Glacier for a vault's inventory."""

    glacier: GlacierJobs

    def __call__(self, *, run: str, vault: str) -> str:
        """Returns the job id. A second call asks for a second job: the first one's notification finds nobody."""
        return self.glacier.request_inventory(vault=vault, run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeInventoryJob:
    """Looks at the job when no notification came."""

    glacier: GlacierJobs

    def __call__(self, *, vault: str, job_id: str) -> JobState:
        """Raises `JobExpired` when Glacier no longer knows it."""
        return self.glacier.describe(vault=vault, job_id=job_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryUpload:
    """An open upload and the ranges to fill it with."""

    upload_id: str
    key: str
    plan: ChunkPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class StartInventoryUpload:
    """Cuts the inventory into ranges of ``range_bytes`` and opens the upload."""

    uploads: InventoryUploads
    range_bytes: int

    def __call__(self, *, run: str, job_id: str, size: int) -> InventoryUpload:
        """``size`` in bytes, as Glacier announced it. Raises `GlacierJobError` for a size that cannot be."""
        if not 0 < size <= MAX_OBJECT_BYTES:
            message = (
                f"the inventory job {job_id} gave an output of {size} bytes: even an empty vault has a header, "
                f"and S3 stores at most {MAX_OBJECT_BYTES} bytes in one object"
            )
            raise GlacierJobError(message)
        key = original_inventory_key(run)
        upload_id = self.uploads.begin(key, note=job_id)
        return InventoryUpload(upload_id=upload_id, key=key, plan=plan_ranges(size, self.range_bytes))


def plan_ranges(size: int, range_bytes: int) -> ChunkPlan:
    """Ranges of ``range_bytes``; of more, whole MiB, where a multipart upload would not have parts enough.

    The largest inventory that S3 could hold has ranges of 525 MiB. Inventories have no tree hash, so nothing needs to
    be aligned.
    """
    if size > range_bytes * MAX_PARTS:
        range_bytes = -(-size // (MAX_PARTS * MIB)) * MIB
    return ChunkPlan(size=size, chunk_size=range_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferInventoryRange:
    """Copies one range as a stream. The proof is its length, and S3's checksum of what we received."""

    glacier: GlacierJobs
    uploads: InventoryUploads
    clock: Clock

    def __call__(self, *, vault: str, job_id: str, key: str, upload_id: str, chunk: Chunk) -> int:
        """Returns the bytes copied. Raises `TransientError` when the last of three tries fell short."""
        for attempt in range(1, TRANSFER_ATTEMPTS + 1):
            try:
                with self.glacier.open_output(vault=vault, job_id=job_id, first=chunk.first, last=chunk.last) as output:
                    stream = SizedStream(output, length=chunk.size)
                    self.uploads.put_part(key, upload_id, part=chunk.part, body=stream)
            except TransientError:
                if attempt == TRANSFER_ATTEMPTS:
                    raise
                self.clock.sleep(attempt)
            else:
                break
        return chunk.size


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteInventoryUpload:
    """Checks that every byte is there and makes one file of the parts."""

    uploads: InventoryUploads
    files: InventoryFiles

    def __call__(self, *, key: str, upload_id: str, job_id: str, size: int, range_bytes: int) -> list[int]:
        """Returns the numbers of parts that are missing; only when none is, there is a file.

        Done again after success it succeeds again. Raises `UploadVanished` when the upload is gone without a file.
        """
        plan = ChunkPlan(size=size, chunk_size=range_bytes)
        try:
            stored = {part.part: part.size for part in self.uploads.parts(key, upload_id)}
            missing = [chunk.part for chunk in plan if stored.get(chunk.part) != chunk.size]
            if missing:
                return missing
            self.uploads.complete(key, upload_id)
        except UploadVanished:
            # an earlier call completed it, and its answer was lost
            if self.uploads.finished(key, note=job_id) != size:
                raise
        written = self.uploads.finished(key, note=job_id)
        if written != size:
            # a resume must not take it for the inventory
            self.files.delete([key])
            message = f"{key} had {written} bytes, not the {size} that Glacier announced: resume the run"
            raise NotPossible(message)
        return []
