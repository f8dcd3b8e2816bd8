"""Archive records as items of the table GlacierObjectRetrieval, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solution.application.adapters.dynamodb import Item, number, text
from solution.application.ports.records import ArchiveRecord
from solution.contract import tables
from solution.contract.tables import ArchiveItem as A
from solution.domain.archive import Archive, StorageClass, Tier, format_time, parse_time
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from datetime import datetime


def archive_key(run: str, archive_id: str) -> Item:
    """Key of an archive's record."""
    return {tables.PK: text(tables.archive_pk(run, archive_id)), tables.SK: text(tables.META)}


def facts(record: ArchiveRecord) -> Item:
    """The attributes that a claim writes; what happens later is added by later writes."""
    archive = record.archive
    item = {
        A.STATUS: text(record.status),
        A.SIZE: number(archive.size),
        A.TREE_HASH: text(archive.tree_hash),
        A.CREATION_DATE: text(archive.creation_date),
        A.ARCHIVE_DESCRIPTION: text(archive.description),
        A.FILE_NAME: text(archive.file_name),
        A.STORAGE_CLASS: text(record.storage_class),
        A.VAULT_NAME: text(record.vault_name),
        A.TIER: text(record.tier),
        A.CHUNK_SIZE: number(record.chunk_size),
        A.CHUNK_COUNT: number(record.chunk_count),
    }
    if record.attempt:
        item[A.ATTEMPT] = number(record.attempt)
    if record.requested_at is not None:
        item[A.REQUESTED_AT] = text(format_time(record.requested_at))
    return {str(name): value for name, value in item.items()}


LATER_FACTS: tuple[A, ...] = (
    A.JOB_ID,
    A.UPLOAD_ID,
    A.WINDOW_END,
    A.STAGED_AT,
    A.DOWNLOADED_AT,
    A.CHECKSUM,
    A.FAILURE,
)
"""Attributes that a new claim of an old record must remove."""


def parse_archive(item: Item) -> ArchiveRecord:
    """Read an archive's item."""
    key = tables.split_archive_pk(item[tables.PK]["S"])
    if key is None:
        raise ValueError(f"{item[tables.PK]['S']!r} is not the key of an archive")
    run, archive_id = key
    return ArchiveRecord(
        run=run,
        archive=Archive(
            archive_id=archive_id,
            size=int(item[A.SIZE]["N"]),
            tree_hash=item[A.TREE_HASH]["S"],
            creation_date=item[A.CREATION_DATE]["S"],
            description=item[A.ARCHIVE_DESCRIPTION]["S"],
            file_name=item[A.FILE_NAME]["S"],
        ),
        status=ArchiveStatus(item[A.STATUS]["S"]),
        vault_name=item[A.VAULT_NAME]["S"],
        tier=Tier(item[A.TIER]["S"]),
        storage_class=StorageClass(item[A.STORAGE_CLASS]["S"]),
        chunk_size=int(item[A.CHUNK_SIZE]["N"]),
        chunk_count=int(item[A.CHUNK_COUNT]["N"]),
        job_id=_text(item, A.JOB_ID),
        upload_id=_text(item, A.UPLOAD_ID),
        window_end=_time(item, A.WINDOW_END),
        requested_at=_time(item, A.REQUESTED_AT),
        staged_at=_time(item, A.STAGED_AT),
        downloaded_at=_time(item, A.DOWNLOADED_AT),
        checksum=_text(item, A.CHECKSUM),
        failure=_text(item, A.FAILURE),
        attempt=int(item[A.ATTEMPT]["N"]) if A.ATTEMPT in item else 0,
    )


def _text(item: Item, name: A) -> str | None:
    value = item.get(name)
    return value["S"] if value else None


def _time(item: Item, name: A) -> datetime | None:
    value = _text(item, name)
    return parse_time(value) if value else None
