"""Archives that a run never came to ask for, for the manifest of a run that was ended before its time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from solution.application.use_cases.csv_text import CONTENT_TYPE, encode_rows, read_rows
from solution.contract import object_keys as keys
from solution.contract.messages import parse_sorted_row

if TYPE_CHECKING:
    from solution.application.ports.inventory_files import FileWriter, InventoryFiles
    from solution.application.ports.records import TransferRecords
    from solution.domain.archive import Archive

_AT_ONCE: Final = 100
"""Records that DynamoDB reads at once ("BatchGetItem", Amazon DynamoDB API Reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUnrequested:
    """Compares one file of the sorted inventory with the table; what has no record was never asked for."""

    records: TransferRecords
    files: InventoryFiles

    def __call__(self, *, run: str, key: str, output_prefix: str) -> int:
        """How many archives of the file have no record; they are listed below ``output_prefix``, as in the manifest.

        A file without any gives no list. Done again it overwrites the same list.
        """
        area = keys.prefix(run, keys.SORTED_INVENTORY)
        if key == keys.partitions_key(run):
            return 0
        output_key = f"{output_prefix}not-requested-{key.removeprefix(area).replace('/', '-')}"
        archives = (parse_sorted_row(row) for row in read_rows(self.files.read(key)))
        found = 0
        output: FileWriter | None = None
        with ExitStack() as stack:
            while batch := list(islice(archives, _AT_ONCE)):
                missing = self._without_record(run, batch)
                if missing and output is None:
                    output = stack.enter_context(self.files.writer(output_key, content_type=CONTENT_TYPE))
                    output.write(encode_rows([keys.MANIFEST_COLUMNS]))
                if output is not None:
                    output.write(encode_rows(unrequested_row(archive, run) for archive in missing))
                found += len(missing)
        return found

    def _without_record(self, run: str, batch: list[Archive]) -> list[Archive]:
        known = self.records.load_many(run, [archive.archive_id for archive in batch])
        return [archive for archive in batch if archive.archive_id not in known]


def unrequested_row(archive: Archive, run: str) -> tuple[object, ...]:
    """One line of the manifest (`MANIFEST_COLUMNS`) for an archive without a record."""
    values = {
        "ArchiveId": archive.archive_id,
        "Key": keys.destination_key(run, archive.file_name),
        "Bytes": archive.size,
        "SHA256TreeHash": archive.tree_hash,
        "Status": keys.NOT_REQUESTED,
        "CreationDate": archive.creation_date,
    }
    return tuple(values.get(column, "") for column in keys.MANIFEST_COLUMNS)
