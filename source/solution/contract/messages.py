"""Messages between functions, and the inputs of state machines: a dataclass each, with its parse and its dump."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from solution.domain.archive import Archive, MigrationType, StorageClass, Tier, check_run_id
from solution.domain.errors import InvalidInput

LONGEST_ARCHIVE_ID: Final = 1024
"""Glacier's have 138 ASCII characters; a table takes a key of at most 2,048 bytes, which holds the run as well."""

_TEXTS_OF_NOTIFICATION: Final = (
    *("Action", "JobId", "JobDescription", "StatusCode", "StatusMessage", "CompletionDate", "ArchiveId"),
    "SHA256TreeHash",
)
_SIZES_OF_NOTIFICATION: Final = ("ArchiveSizeInBytes", "InventorySizeInBytes")


def _field(source: Mapping[str, Any], name: str, what: str) -> Any:
    try:
        return source[name]
    except KeyError:
        raise InvalidInput(f"{what} has no {name!r}; it has {sorted(source)}") from None


def _text(source: Mapping[str, Any], name: str, what: str) -> str:
    """A field that must say something."""
    value = _field(source, name, what)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"{name!r} of {what} is {value!r}, which says nothing")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorInput:
    """What the runbooks hand to the orchestrator; the names are public."""

    workflow_run: str
    vault_name: str
    migration_type: MigrationType
    provided_inventory: bool
    description: str
    tier: Tier
    s3_storage_class: StorageClass
    name_override_presigned_url: str
    cross_region_transfer: bool
    sns_topic_arn: str

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        """Read the state machine's input; flags are "YES"/"NO" or JSON booleans."""
        what = "the orchestrator's input"
        try:
            return cls(
                workflow_run=check_run_id(_field(source, "workflow_run", what)),
                vault_name=_field(source, "vault_name", what),
                migration_type=MigrationType(_field(source, "migration_type", what)),
                provided_inventory=_flag(_field(source, "provided_inventory", what)),
                description=source.get("description") or "",
                tier=Tier(_field(source, "tier", what)),
                s3_storage_class=StorageClass(_field(source, "s3_storage_class", what)),
                name_override_presigned_url=source.get("name_override_presigned_url") or "",
                cross_region_transfer=_flag(source.get("cross_region_transfer", False)),
                sns_topic_arn=_field(source, "sns_topic_arn", what),
            )
        except ValueError as error:
            raise InvalidInput(f"{what} is not valid: {error}") from error


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("YES", "NO"):
        return value == "YES"
    raise InvalidInput(f"{value!r} is neither YES nor NO")


@dataclass(frozen=True, slots=True, kw_only=True)
class GlacierNotification:
    """What Glacier publishes when a job ends ("Configuring Vault Notifications", S3 Glacier Developer Guide).

    ``run`` comes back from the job description we gave. Sizes are in bytes and are None where the job has none.
    """

    action: str
    job_id: str
    run: str
    succeeded: bool
    status_code: str
    status_message: str
    completion_date: str
    archive_id: str | None
    archive_size: int | None
    inventory_size: int | None
    tree_hash: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a notification; raises `InvalidInput` for anything that is not one."""
        source = _object(text, "a Glacier notification")
        what = "the notification"
        _check_types(source, what, _TEXTS_OF_NOTIFICATION, str)
        _check_types(source, what, _SIZES_OF_NOTIFICATION, int)
        return cls(
            action=_text(source, "Action", what),
            job_id=_text(source, "JobId", what),
            run=source.get("JobDescription") or "",
            succeeded=_text(source, "StatusCode", what) == "Succeeded",
            status_code=source["StatusCode"],
            status_message=source.get("StatusMessage") or "",
            completion_date=source.get("CompletionDate") or "",
            archive_id=source.get("ArchiveId"),
            archive_size=source.get("ArchiveSizeInBytes"),
            inventory_size=source.get("InventorySizeInBytes"),
            tree_hash=source.get("SHA256TreeHash"),
        )

    def dump(self) -> str:
        """As Glacier writes it, without what nobody here reads."""
        return json.dumps(
            {
                "Action": self.action,
                "JobId": self.job_id,
                "JobDescription": self.run,
                "StatusCode": self.status_code,
                "StatusMessage": self.status_message,
                "CompletionDate": self.completion_date,
                "ArchiveId": self.archive_id,
                "ArchiveSizeInBytes": self.archive_size,
                "InventorySizeInBytes": self.inventory_size,
                "SHA256TreeHash": self.tree_hash,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The end of an awaited job, as kept in AsyncFacilitatorTable and handed to the waiting state.

    ``size`` is the inventory's size in bytes for inventory jobs, else None.
    """

    job_id: str
    succeeded: bool
    message: str
    size: int | None = None

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From JSON."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkMessage:
    """One chunk to copy. It carries all the copy needs, so that no table is read for it.

    ``part`` counts from 1; sizes are in bytes; ``upload_id`` is empty for an archive of one chunk. ``again`` says that
    the chunk was sent before and may have been copied. ``attempt`` of the run that staged the archive; 0 for unknown.
    """

    run: str
    vault_name: str
    archive_id: str
    job_id: str
    size: int
    tree_hash: str
    creation_date: str
    description: str
    file_name: str
    storage_class: StorageClass
    chunk_size: int
    part: int
    upload_id: str = ""
    again: bool = False
    attempt: int = 0

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From JSON; raises `InvalidInput` for anything else."""
        source = _object(text, "a chunk message")
        check_archive(source.get("run"), source.get("archive_id"), "a chunk message")
        try:
            return cls(**{**source, "storage_class": StorageClass(source["storage_class"])})
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInput(f"not a chunk message: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationMessage:
    """An archive whose parts are all stored in this upload, to be proven and completed."""

    run: str
    archive_id: str
    upload_id: str = ""

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From JSON; raises `InvalidInput` for anything else."""
        source = _object(text, "a validation message")
        check_archive(source.get("run"), source.get("archive_id"), "a validation message")
        try:
            return cls(**source)
        except TypeError as error:
            raise InvalidInput(f"not a validation message: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class UncountedChanges:
    """Changes of archives that their function gave up, by where they are in the table's stream, both ends included.

    Lambda tells no more of them ("Capturing discarded batches", AWS Lambda Developer Guide).
    """

    stream_arn: str
    shard_id: str
    first: str
    last: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what Lambda sends to a stream's on-failure queue; raises `InvalidInput` for anything else."""
        what = "the report of a failed batch"
        found = _field(_object(text, what), "DDBStreamBatchInfo", what)
        return cls(
            stream_arn=_field(found, "streamArn", what),
            shard_id=_field(found, "shardId", what),
            first=_field(found, "startSequenceNumber", what),
            last=_field(found, "endSequenceNumber", what),
        )


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        source = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"not {what}, not even JSON: {error}") from error
    if not isinstance(source, dict):
        raise InvalidInput(f"not {what}: not a JSON object")
    return source


def _check_types(source: Mapping[str, Any], what: str, names: Iterable[str], kind: type) -> None:
    """Raise `InvalidInput` for a value that is there and of another type."""
    for name in names:
        if not isinstance(source.get(name), kind | None):
            raise InvalidInput(f"{name!r} of {what} is {source[name]!r}, which is no {kind.__name__}")


def check_archive(run: object, archive_id: object, what: str) -> tuple[str, str]:
    """Return both, or raise `InvalidInput` for what can be no archive of a run, and no key of a table."""
    if not isinstance(run, str) or not isinstance(archive_id, str):
        raise InvalidInput(f"{what} is of no archive: run {run!r}, archive {archive_id!r}")
    if not archive_id.isascii() or not 0 < len(archive_id) <= LONGEST_ARCHIVE_ID:
        raise InvalidInput(f"{what} is of no archive: {archive_id!r} is not the id of one")
    return check_run_id(run), archive_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalBatch:
    """Rows of the sorted inventory to ask Glacier for, with what the run fixes for all of them.

    ``attempt`` of the run; 0 where an execution from before an update of the stack does not tell.
    """

    workflow_run: str
    vault_name: str
    tier: Tier
    s3_storage_class: StorageClass
    archives: tuple[Archive, ...]
    attempt: int = 0

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        """Read a distributed map's batch: ``{"BatchInput": {...}, "Items": [row, ...]}``."""
        shared = _field(event, "BatchInput", "the batch")
        return cls(
            workflow_run=check_run_id(_field(shared, "workflow_run", "BatchInput")),
            vault_name=_field(shared, "vault_name", "BatchInput"),
            tier=Tier(_field(shared, "tier", "BatchInput")),
            s3_storage_class=StorageClass(_field(shared, "s3_storage_class", "BatchInput")),
            archives=tuple(parse_sorted_row(row) for row in _field(event, "Items", "the batch")),
            attempt=int(shared.get("attempt", 0)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkBatch:
    """Archive ids from a work list, with the run they belong to.

    ``tier`` is None where nothing is asked for, ``attempt`` of the run 0 where it does not matter.
    """

    workflow_run: str
    vault_name: str
    tier: Tier | None
    archive_ids: tuple[str, ...]
    attempt: int = 0

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        """Read a distributed map's batch over a work list."""
        shared = _field(event, "BatchInput", "the batch")
        tier = shared.get("tier")
        return cls(
            workflow_run=check_run_id(_field(shared, "workflow_run", "BatchInput")),
            vault_name=_field(shared, "vault_name", "BatchInput"),
            tier=Tier(tier) if tier else None,
            archive_ids=tuple(_field(row, "ArchiveId", "a row") for row in _field(event, "Items", "the batch")),
            attempt=int(shared.get("attempt", 0)),
        )


def parse_sorted_row(row: Mapping[str, Any]) -> Archive:
    """One row of a sorted inventory file (`object_keys.SORTED_COLUMNS`), as Step Functions read it: all text."""
    what = "a row of the sorted inventory"
    try:
        return Archive(
            archive_id=_field(row, "ArchiveId", what),
            size=int(_field(row, "Size", what)),
            tree_hash=_field(row, "SHA256TreeHash", what),
            creation_date=_field(row, "CreationDate", what),
            description=base64.b64decode(_field(row, "ArchiveDescriptionBase64", what), validate=True).decode(),
            file_name=_field(row, "FileName", what),
        )
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(f"{what} cannot be read: {error}; row {dict(row)!r}") from error


def dump_sorted_row(archive: Archive) -> dict[str, str]:
    """The inverse of `parse_sorted_row`."""
    return {
        "ArchiveId": archive.archive_id,
        "Size": str(archive.size),
        "CreationDate": archive.creation_date,
        "SHA256TreeHash": archive.tree_hash,
        "ArchiveDescriptionBase64": base64.b64encode(archive.description.encode()).decode(),
        "FileName": archive.file_name,
    }
