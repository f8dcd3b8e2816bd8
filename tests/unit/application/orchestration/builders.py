"""Runs, archives and inventories for the stories of this folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from solution.application.in_memory.archive_scan import KeptArchive
from solution.application.ports.archive_scan import ArchiveRow
from solution.application.ports.runs import RunRecord
from solution.contract.messages import OrchestratorInput
from solution.contract.tables import RunStatus
from solution.domain.archive import MigrationType, StorageClass, Tier

RUN = "run-1"
HEADER = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"


def order(**changes: Any) -> OrchestratorInput:
    """A launch of `RUN`."""
    plain = OrchestratorInput(
        workflow_run=RUN,
        vault_name="photos",
        migration_type=MigrationType.LAUNCH,
        provided_inventory=False,
        description="",
        tier=Tier.BULK,
        s3_storage_class=StorageClass.DEEP_ARCHIVE,
        name_override_presigned_url="",
        cross_region_transfer=False,
        sns_topic_arn="arn:aws:sns:us-east-1:111122223333:facilitator",
    )
    return replace(plain, **changes)


def run_record(**changes: Any) -> RunRecord:
    """The record of `RUN`, in its first attempt, begun an hour before the clock's start."""
    plain = RunRecord(
        run=RUN,
        vault_name="photos",
        tier=Tier.BULK,
        storage_class=StorageClass.DEEP_ARCHIVE,
        migration_type=MigrationType.LAUNCH,
        provided_inventory=False,
        name_override=False,
        cross_region=False,
        description="",
        attempt=1,
        execution_arn="arn:execution:run-1-1",
        execution_name="run-1-1",
        status=RunStatus.RUNNING,
        started_at="2025-03-01T11:00:00.000Z",
    )
    return replace(plain, **changes)


def archive_id(number: int) -> str:
    """A well-formed archive id."""
    return f"{number:0138d}"


def kept(
    number: int, status: str, *, run: str = RUN, size: int = 10, failure: str = "", **looked_at: Any
) -> KeptArchive:
    """An archive in the table."""
    row = ArchiveRow(
        archive_id=archive_id(number), status=status, file_name=f"file {number}", size=size, failure=failure
    )
    return KeptArchive(run=run, row=row, **looked_at)


def inventory_row(number: int = 1, description: str = '""', *, size: str = "12", tree_hash: str = "0f" * 32) -> str:
    """A row of an inventory; the description as it stands in the file, quotes included."""
    return f"{archive_id(number)},{description},2012-05-15T17:21:39.339Z,{size},{tree_hash}"
