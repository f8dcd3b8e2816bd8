"""Inventories: which archives were in a vault when the job was asked for, as CSV or JSON (*Inventory Retrieval*).

CSV quotes every description with ``"`` and escapes ``"`` and ``\\`` within it with ``\\``; line breaks stay
as they are. Python reads it back with ``csv.reader(file, doublequote=False, escapechar="\\\\")``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from solution.mocking.glacier.clock import iso_seconds, parse_iso
from solution.mocking.glacier.context import Context
from solution.mocking.glacier.errors import InvalidParameterError
from solution.mocking.glacier.store import StoredArchive, Vault, archive_of

CSV_HEADER: Final = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySelection:
    """Which rows a job asked for. ``marker`` is the position of the first row wanted, None for the first of all."""

    form: str
    start_date: str | None = None
    end_date: str | None = None
    limit: int | None = None
    marker: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As jobs and notifications show it."""
        return {
            "EndDate": self.end_date,
            "Format": self.form,
            "Limit": None if self.limit is None else str(self.limit),
            "Marker": self.marker,
            "StartDate": self.start_date,
        }

    @classmethod
    def from_request(cls, form: object, parameters: object) -> InventorySelection:
        """Read ``Format`` and ``InventoryRetrievalParameters`` of InitiateJob.

        Raises:
            InvalidParameterError: one of them is malformed.
        """
        if form not in ("CSV", "JSON"):
            message = f"Invalid format: {form}. Use CSV or JSON."
            raise InvalidParameterError(message)
        if not isinstance(parameters, dict):
            message = f"Invalid InventoryRetrievalParameters: {parameters!r}. Give an object."
            raise InvalidParameterError(message)
        limit = parameters.get("Limit")
        if limit is not None and (not str(limit).isdigit() or int(limit) < 1):
            message = f"Invalid Limit: {limit}. Give a whole number of 1 or more."
            raise InvalidParameterError(message)
        for name in ("StartDate", "EndDate"):
            if parameters.get(name) is not None:
                _moment(str(parameters[name]), name)
        marker = parameters.get("Marker")
        if marker is not None:
            _position(str(marker))
        return cls(
            form=str(form),
            start_date=parameters.get("StartDate"),
            end_date=parameters.get("EndDate"),
            limit=None if limit is None else int(limit),
            marker=marker,
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> InventorySelection:
        """Inverse of ``to_json``."""
        return cls(
            form=value["Format"],
            start_date=value["StartDate"],
            end_date=value["EndDate"],
            limit=None if value["Limit"] is None else int(value["Limit"]),
            marker=value["Marker"],
        )


def _moment(text: str, name: str) -> float:
    try:
        return parse_iso(text)
    except ValueError as error:
        message = f"Invalid {name}: {text}. Give an ISO 8601 date such as 2013-03-20T17:03:43Z."
        raise InvalidParameterError(message) from error


def _position(marker: str) -> tuple[str, int]:
    if marker[:1] not in ("v", "s") or not marker[1:].isdigit():
        message = f"Invalid Marker: {marker}. Pass the Marker of a completed inventory job unchanged."
        raise InvalidParameterError(message)
    return marker[0], int(marker[1:])


def snapshot(context: Context, vault: Vault, job_seq: int, asked: float, marker: str | None) -> Iterator[StoredArchive]:
    """Archives of a vault at the moment job ``job_seq`` was asked for, in a stable order from ``marker`` on."""
    newest = asked - context.settings.scaled(context.settings.inventory_lag)
    kind, first = _position(marker) if marker else ("v", 0)
    if vault.virtual and kind == "v":
        for found in vault.virtual.archives(first):
            if found.created <= newest:
                yield StoredArchive(
                    archive_id=found.archive_id,
                    description=found.description,
                    created=found.created,
                    size=found.content.size,
                    tree_hash=found.content.tree_hash(),
                    body=None,
                    virtual=found.content,
                    position=f"v{found.index}",
                )
    after = first - 1 if kind == "s" else 0
    newest_seq = context.store.row("SELECT snapshot FROM jobs WHERE seq = ?", (job_seq,))
    while True:
        rows = context.store.rows(
            "SELECT * FROM archives WHERE vault_id = ? AND seq > ? AND seq <= ? AND created <= ?"
            " AND (deleted_after IS NULL OR deleted_after >= ?) ORDER BY seq LIMIT ?",
            (vault.vault_id, after, newest_seq["snapshot"] if newest_seq else 0, newest, job_seq, _PAGE),
        )
        if not rows:
            return
        yield from map(archive_of, rows)
        after = rows[-1]["seq"]


def select(archives: Iterator[StoredArchive], wanted: InventorySelection) -> Iterator[StoredArchive]:
    """Only archives created from StartDate (inclusive) to EndDate (exclusive)."""
    start = _moment(wanted.start_date, "StartDate") if wanted.start_date else float("-inf")
    end = _moment(wanted.end_date, "EndDate") if wanted.end_date else float("inf")
    return (archive for archive in archives if start <= archive.created < end)


def csv_row(archive: StoredArchive) -> str:
    """One line of a CSV inventory, without its line end."""
    description = archive.description.replace("\\", "\\\\").replace('"', '\\"')
    created = iso_seconds(archive.created)
    return f'{archive.archive_id},"{description}",{created},{archive.size},{archive.tree_hash}'


def json_row(archive: StoredArchive) -> str:
    """One element of ``ArchiveList``."""
    return json.dumps(
        {
            "ArchiveId": archive.archive_id,
            "ArchiveDescription": archive.description,
            "CreationDate": iso_seconds(archive.created),
            "Size": archive.size,
            "SHA256TreeHash": archive.tree_hash,
        },
        ensure_ascii=False,
    )


def write(
    path: Path, archives: Iterator[StoredArchive], wanted: InventorySelection, vault_arn: str, moment: float
) -> str | None:
    """Write the inventory, row by row; returns the marker of the row after the last, None if there is none."""
    written = 0
    following: str | None = None
    with path.open("w", encoding="utf-8", newline="") as file:
        if wanted.form == "CSV":
            file.write(CSV_HEADER + "\n")
        else:
            head = json.dumps({"VaultARN": vault_arn, "InventoryDate": iso_seconds(moment)})
            file.write(head[:-1] + ', "ArchiveList": [')
        for archive in archives:
            if written == wanted.limit:
                following = archive.position
                break
            if wanted.form == "CSV":
                file.write(csv_row(archive) + "\n")
            else:
                file.write((", " if written else "") + json_row(archive))
            written += 1
        if wanted.form == "JSON":
            file.write("]}")
    return following
