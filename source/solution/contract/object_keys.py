"""Where everything lies in the inventory bucket, and the names archives get in the destination bucket."""

from __future__ import annotations

from typing import Final

ORIGINAL_INVENTORY: Final = "original_inventory"
NAMING_OVERRIDES: Final = "naming_overrides"
SORTED_INVENTORY: Final = "sorted_inventory"
NOT_MIGRATED: Final = "not_migrated"
REJECTED_ROWS: Final = "rejected_rows"
DOWNLOAD_WINDOW_EXTENSION: Final = "download_window_extension"
ARCHIVES_STATUS_CLEANUP: Final = "archives_status_cleanup"
FAILED_ARCHIVES: Final = "failed_archives"
REPORT: Final = "report"

PARTITIONS_FILE: Final = "partitions.csv"

SORTED_COLUMNS: Final = (
    "ArchiveId",
    "Size",
    "CreationDate",
    "SHA256TreeHash",
    "ArchiveDescriptionBase64",
    "FileName",
)
"""Header of the sorted inventory's CSV files.

RFC 4180 quoting. The description is base64 of its UTF-8, for descriptions hold line breaks and any character, and
Step Functions reads these files line by line; the file name is a safe object key without the run's prefix.
"""

PARTITION_COLUMNS: Final = ("Partition", "Prefix", "Archives", "Bytes", "Last")
"""Header of ``partitions.csv``: number from 0, key prefix of its files, counts, and "true" for the last one."""

WORK_LIST_COLUMNS: Final = ("ArchiveId",)
"""Header of the work lists that a table scan writes for a distributed map."""

INVENTORY_COLUMNS: Final = ("ArchiveId", "ArchiveDescription", "CreationDate", "Size", "SHA256TreeHash")
"""Header of a vault's inventory in CSV ("Get Job Output", S3 Glacier Developer Guide)."""

OVERRIDE_COLUMNS: Final = ("GlacierArchiveID", "FileName")
"""Header of the user's names."""

MANIFEST_COLUMNS: Final = (
    "ArchiveId",
    "Key",
    "Bytes",
    "SHA256TreeHash",
    "S3ChecksumSHA256",
    "StorageClass",
    "Status",
    "Reason",
    "CreationDate",
    "DownloadedAt",
)
"""Header of the manifest's files. Times are ISO 8601, absent values empty."""

NOT_REQUESTED: Final = "not_requested"
"""Status in the manifest of an archive of the sorted inventory that the run has no record of."""

FAILED_COLUMNS: Final = ("ArchiveId", "Key", "Bytes", "Reason")
"""Header of ``failed_archives.csv``."""


def prefix(run: str, area: str) -> str:
    """Key prefix of one area of one run, with its closing slash."""
    return f"{run}/{area}/"


def original_inventory_key(run: str) -> str:
    """The inventory as Glacier gave it. A provided inventory may be any ``.csv`` below the same prefix."""
    return f"{run}/{ORIGINAL_INVENTORY}/inventory.csv"


def naming_overrides_key(run: str) -> str:
    """The user's names, ``GlacierArchiveID,FileName``."""
    return f"{run}/{NAMING_OVERRIDES}/overrides.csv"


def partition_prefix(run: str, partition: int) -> str:
    """Key prefix of one partition's CSV files."""
    return f"{run}/{SORTED_INVENTORY}/{partition_folder(partition)}"


def partition_folder(partition: int) -> str:
    """The same from the folder of the sorted inventory on."""
    return f"partition_{partition:05d}/"


def partitions_key(run: str) -> str:
    """The list of partitions, in order; written last, so its presence says that the sorted inventory is whole."""
    return f"{run}/{SORTED_INVENTORY}/{PARTITIONS_FILE}"


def not_migrated_key(run: str) -> str:
    """Archives larger than the largest S3 object."""
    return f"{run}/{NOT_MIGRATED}/not_migrated.csv"


def rejected_rows_key(run: str) -> str:
    """Rows of the inventory that could not be read, with the reason."""
    return f"{run}/{REJECTED_ROWS}/rejected_rows.csv"


def failed_archives_key(run: str) -> str:
    """What did not arrive, and why."""
    return f"{run}/{FAILED_ARCHIVES}/failed_archives.csv"


def manifest_prefix(run: str) -> str:
    """The full manifest of the run, in numbered CSV files."""
    return f"{run}/{REPORT}/manifest/"


def summary_key(run: str) -> str:
    """The summary for people, Markdown."""
    return f"{run}/{REPORT}/summary.md"


def summary_json_key(run: str) -> str:
    """The same summary for machines."""
    return f"{run}/{REPORT}/summary.json"


def destination_key(run: str, file_name: str) -> str:
    """Object key of an archive in the destination bucket."""
    return f"{run}/{file_name}"


METADATA_ARCHIVE_ID: Final = "glacier-archive-id"
METADATA_TREE_HASH: Final = "glacier-tree-hash"
METADATA_DESCRIPTION: Final = "glacier-description"
METADATA_CREATION_DATE: Final = "glacier-creation-date"
"""User-defined metadata of each copied object; the description is RFC 2047 encoded where it is not plain ASCII."""
