"""Archives that a run never came to ask for are named in its report."""

from __future__ import annotations

import csv
import io

import pytest

from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.application.in_memory.records import InMemoryTransferRecords
from solution.application.use_cases.csv_text import encode_rows
from solution.application.use_cases.list_unrequested import ListUnrequested
from solution.contract import object_keys as keys
from solution.contract.messages import dump_sorted_row
from solution.domain.archive import Archive
from solution.domain.errors import InvalidInput
from tests.builders import RUN, archive, record

PREFIX = f"{RUN}/report/manifest/{RUN}-1/"
FILE = f"{keys.partition_prefix(RUN, 3)}part-00007.csv"
LIST = f"{PREFIX}not-requested-partition_00003-part-00007.csv"


class _Desk:
    def __init__(self, archives: list[Archive], *, known: int) -> None:
        self.files = InMemoryInventoryFiles()
        rows = [dump_sorted_row(one) for one in archives]
        body = encode_rows([keys.SORTED_COLUMNS, *([row[name] for name in keys.SORTED_COLUMNS] for row in rows)])
        self.files.put(FILE, body, content_type="text/csv")
        self.records = InMemoryTransferRecords()
        self.records.create([record(one) for one in archives[:known]])
        self.before = dict(self.files.files)

    def compare(self, key: str = FILE) -> int:
        return ListUnrequested(records=self.records, files=self.files)(run=RUN, key=key, output_prefix=PREFIX)

    def listed(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.files.files[LIST].decode(), newline="")))


@pytest.mark.parametrize("known", [0, 1, 100, 249])
def test_archives_without_a_record_are_listed_as_the_manifest_lists_all_others(known: int) -> None:
    archives = [archive(f"no {n}", description='one\n"two", three', file_name=f"né, {n}.bin") for n in range(250)]
    desk = _Desk(archives, known=known)
    assert desk.compare() == 250 - known
    assert desk.listed() == [
        {
            "ArchiveId": one.archive_id,
            "Key": f"{RUN}/{one.file_name}",
            "Bytes": str(one.size),
            "SHA256TreeHash": one.tree_hash,
            "S3ChecksumSHA256": "",
            "StorageClass": "",
            "Status": "not_requested",
            "Reason": "",
            "CreationDate": one.creation_date,
            "DownloadedAt": "",
        }
        for one in archives[known:]
    ]


def test_the_same_file_again_gives_the_same_list() -> None:
    desk = _Desk([archive("a"), archive("b")], known=1)
    desk.compare()
    first = dict(desk.files.files)
    assert desk.compare() == 1
    assert desk.files.files == first


def test_a_file_of_archives_that_were_all_asked_for_gives_no_list() -> None:
    desk = _Desk([archive("a"), archive("b")], known=2)
    assert desk.compare() == 0
    assert desk.files.files == desk.before


def test_the_list_of_partitions_is_no_file_of_archives() -> None:
    desk = _Desk([archive("a")], known=0)
    desk.files.put(keys.partitions_key(RUN), b"Partition,Prefix\r\n0,x\r\n", content_type="text/csv")
    desk.before = dict(desk.files.files)
    assert desk.compare(keys.partitions_key(RUN)) == 0
    assert desk.files.files == desk.before


def test_a_row_that_cannot_be_read_is_an_error_and_leaves_no_list() -> None:
    desk = _Desk([archive("a")], known=0)
    desk.files.put(FILE, desk.files.files[FILE] + b"x,y\r\n", content_type="text/csv")
    with pytest.raises(InvalidInput, match="a row of the sorted inventory"):
        desk.compare()
    assert LIST not in desk.files.files
