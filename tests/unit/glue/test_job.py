"""The whole job: an inventory becomes ordered, named, partitioned work, and every row is accounted for."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from solution.contract import object_keys
from solution.contract.messages import parse_sorted_row
from solution.contract.settings import GlueJobArguments
from solution.domain import naming
from solution.domain.archive import MAX_OBJECT_BYTES, Archive
from solution.domain.errors import InvalidInput
from solution.domain.naming import Claim
from solution.glue.accounting import Account, Amount
from solution.glue.job import InventoryJob
from tests.descriptions import CORPUS

if TYPE_CHECKING:
    from pyspark import SparkContext

HEADER = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"


def archive_id(number: int) -> str:
    return f"{number:0138d}"


def row(number: int, description: str, *, date: str = "2012-05-15T17:21:39Z", size: int = 10) -> str:
    escaped = description.replace("\\", "\\\\").replace('"', '\\"')
    return f'{archive_id(number)},"{escaped}",{date},{size},{number:064x}'


@dataclass
class Bucket:
    """A folder that stands for the inventory bucket."""

    spark: SparkContext
    root: Path
    partition_bytes: int = 10**15
    partition_archives: int = 10**6
    file_archives: int = 10**5

    def put(self, key: str, text: str) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())

    def run(self, *rows: str, **sizes: int) -> Account:
        """Run the job over these rows, in blocks and buckets of these ``sizes``."""
        self.put("r/original_inventory/inventory.csv", "\n".join([HEADER, *rows, ""]))
        stated: list[Account] = []

        def state(account: Account) -> None:
            assert not (self.root / "r/sorted_inventory/partitions.csv").exists()
            stated.append(account)

        account = InventoryJob(self.spark, self.arguments(), state, **sizes).run()
        assert stated == [account]
        return account

    def arguments(self) -> GlueJobArguments:
        """Arguments as the state machine gives them."""
        return GlueJobArguments(
            workflow_run="r",
            inventory_uri=f"file://{self.root}/r/original_inventory/",
            overrides_uri=f"file://{self.root}/r/naming_overrides/",
            output_uri=f"file://{self.root}/r/sorted_inventory/",
            not_migrated_uri=f"file://{self.root}/r/not_migrated/",
            rejected_uri=f"file://{self.root}/r/rejected_rows/",
            metric_table="metrics",
            partition_bytes=str(self.partition_bytes),
            partition_archives=str(self.partition_archives),
            file_archives=str(self.file_archives),
        )

    def table(self, key: str) -> list[dict[str, str]]:
        """A CSV file with a header."""
        with (self.root / key).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def partitions(self) -> list[dict[str, str]]:
        """The list of partitions."""
        return self.table("r/sorted_inventory/partitions.csv")

    def files(self, prefix: str = "") -> list[str]:
        """Keys of all results."""
        results = (path for path in self.root.rglob("*") if path.is_file())
        keys = sorted(str(path.relative_to(self.root)) for path in results)
        return [key for key in keys if key.startswith(prefix) and "/original_" not in key and "/naming_" not in key]

    def archives(self) -> list[Archive]:
        """The sorted inventory: files of the partitions in order, in the order of their names."""
        found = []
        for partition in self.partitions():
            for key in self.files(partition["Prefix"]):
                rows = self.table(key)
                assert 0 < len(rows) <= self.file_archives
                assert set(rows[0]) == set(object_keys.SORTED_COLUMNS)
                found += [parse_sorted_row(row) for row in rows]
        return found

    def names(self) -> dict[str, str]:
        """Names by archive id."""
        return {archive.archive_id: archive.file_name for archive in self.archives()}


@pytest.fixture
def bucket(spark: SparkContext, tmp_path: Path) -> Bucket:
    return Bucket(spark=spark, root=tmp_path)


def dated(number: int) -> str:
    return f"20{12 + number % 9}-0{1 + number % 7}-15T00:00:0{number % 5}.{number % 10}00Z"


def test_the_files_together_are_the_inventory_in_order_within_all_limits(bucket: Bucket) -> None:
    bucket.partition_bytes, bucket.partition_archives, bucket.file_archives = 6_000, 20, 8
    descriptions = [CORPUS[number % len(CORPUS)][0] for number in range(150)]
    rows = [row(number, text, date=dated(number), size=1 + 7 * number) for number, text in enumerate(descriptions)]
    random.Random(1).shuffle(rows)
    account = bucket.run(*rows)

    archives = bucket.archives()
    assert [archive.archive_id for archive in archives] == sorted(
        map(archive_id, range(150)), key=lambda key: (dated(int(key)), key)
    )
    for archive in archives:
        number = int(archive.archive_id)
        assert archive.description == descriptions[number]
        assert (archive.size, archive.creation_date) == (1 + 7 * number, dated(number))
        assert archive.tree_hash == f"{number:064x}"
    partitions = bucket.partitions()
    assert [int(partition["Partition"]) for partition in partitions] == list(range(len(partitions)))
    assert [partition["Last"] for partition in partitions] == ["false"] * (len(partitions) - 1) + ["true"]
    assert all(0 < int(partition["Archives"]) <= 20 and int(partition["Bytes"]) <= 6_000 for partition in partitions)
    assert sum(int(partition["Bytes"]) for partition in partitions) == sum(archive.size for archive in archives)
    assert account.to_transfer == Amount(archives=150, size=sum(archive.size for archive in archives))
    assert account.total == account.to_transfer
    assert bucket.files() == bucket.files("r/sorted_inventory/")


def test_names_are_those_of_the_reference_whatever_the_order_of_rows(bucket: Bucket) -> None:
    texts = [text for text, _ in CORPUS] + ["same.jpg"] * 5 + ["other", "/same.jpg", "other"]
    texts.append(naming.with_suffix("same.jpg", archive_id(len(CORPUS) + 1)))
    claims = [
        Claim(archive_id=key, name=naming.base_name(key, text), rank=(1, dated(number)))
        for number, (key, text) in enumerate((archive_id(number), text) for number, text in enumerate(texts))
    ]
    expected = naming.unique_names(claims)
    rows = [row(number, text, date=dated(number)) for number, text in enumerate(texts)]
    bucket.run(*rows)
    assert bucket.names() == expected
    random.Random(2).shuffle(rows)
    bucket.run(*rows)
    assert bucket.names() == expected
    assert len(set(expected.values())) == len(texts)


def test_blocks_and_buckets_change_nothing(bucket: Bucket) -> None:
    """As many as a large inventory has: whatever an archive shares with others is found across them."""
    texts = [text for text, _ in CORPUS] + [f"line\nbreak {number % 40}.txt" for number in range(150)]
    rows = [row(number, text, date=dated(number)) for number, text in enumerate(texts)]
    rows += [
        row(3, "again", date="2009-01-01T00:00:00Z"),
        row(5, "again"),
        row(7, texts[7], date=dated(7)),
        "gibberish",
    ]
    rows += [row(900 + number, "line\nbreak 1.txt", size=MAX_OBJECT_BYTES + 1) for number in range(3)]
    lines = [f"line_break 2.txt,{archive_id(number)}" for number in (0, 90, 170)] + [f"none,{archive_id(5000)}"]
    bucket.put("r/naming_overrides/overrides.csv", "\n".join(["FileName,GlacierArchiveID", *lines]))
    random.Random(4).shuffle(rows)
    results = []
    for sizes in ({}, {"block_bytes": 30_000, "bucket_bytes": 30_000}):
        account = bucket.run(*rows, **sizes)
        listings = [bucket.files("r/not_migrated"), bucket.files("r/rejected_rows")]
        tables = [bucket.table(key) for keys in listings for key in keys]
        results.append((account, bucket.archives(), bucket.names(), tables))
    assert results[0] == results[1]
    account, _, names, _ = results[0]
    assert account.rejected.archives == 4
    assert account.skipped.archives == 3
    assert len(set(names.values())) == len(texts)


def test_quotes_that_are_seen_late_decide_how_all_of_the_file_is_read(bucket: Bucket) -> None:
    plain = [row(number, "plain", date=dated(number)) for number in range(1500)]
    late = [
        row(2000, "say").replace("say", 'say ""so""'),
        row(2001, "share").replace("share", "\\\\server\\share"),
    ]
    bucket.run(*plain, *late)
    descriptions = {archive.archive_id: archive.description for archive in bucket.archives()}
    assert descriptions[archive_id(2000)] == 'say "so"'
    assert descriptions[archive_id(2001)] == "\\\\server\\share"


def test_an_empty_vault_gives_an_empty_list_of_partitions(bucket: Bucket) -> None:
    assert bucket.run().total == Amount()
    assert bucket.files() == ["r/sorted_inventory/partitions.csv"]
    assert bucket.partitions() == []


def test_without_an_inventory_the_job_fails_and_says_where_it_looked(bucket: Bucket) -> None:
    with pytest.raises(InvalidInput, match="original_inventory"):
        InventoryJob(bucket.spark, bucket.arguments(), lambda _: None).run()


def test_every_row_is_sorted_skipped_or_rejected_with_a_reason(bucket: Bucket) -> None:
    account = bucket.run(
        row(1, "good"),
        row(2, "too large", size=MAX_OBJECT_BYTES + 1),
        row(3, "largest", size=MAX_OBJECT_BYTES),
        row(4, "empty", size=0),
        row(5, "never", date="2012-02-31T00:00:00Z"),
        "gibberish",
        row(1, "good"),
        row(6, "two\nlines"),
    )
    assert [archive.archive_id for archive in bucket.archives()] == [archive_id(number) for number in (1, 3, 6)]
    assert [row["ArchiveId"] for row in bucket.table(object_keys.not_migrated_key("r"))] == [archive_id(2)]
    rejected = bucket.table(object_keys.rejected_rows_key("r"))
    assert sorted((row["ArchiveId"][-1:], row["Reason"].split(":")[0]) for row in rejected) == [
        ("", "not a row of an inventory"),
        ("1", "its archive id appears in an earlier row"),
        ("4", "its size is 0"),
        ("5", "its creation date is not a date"),
    ]
    assert account == Account(
        to_transfer=Amount(archives=3, size=20 + MAX_OBJECT_BYTES),
        skipped=Amount(archives=1, size=MAX_OBJECT_BYTES + 1),
        rejected=Amount(archives=4, size=20),
    )


def test_sizes_beyond_belief_are_summed_exactly(bucket: Bucket) -> None:
    most = 10**18 - 1
    account = bucket.run(*(row(number, "vast", size=most) for number in range(12)))
    assert account.skipped == Amount(archives=12, size=12 * most)


def test_another_try_replaces_all_that_an_earlier_one_left(bucket: Bucket) -> None:
    bucket.partition_archives = 2
    bucket.run(*(row(number, f"{number}") for number in range(7)), row(8, "large", size=6 * 1024**4), "gibberish")
    bucket.put("r/sorted_inventory/_staging/unit=0/part-00000-x.c000.csv", "half written")
    bucket.run(row(1, "only"))
    assert bucket.files() == ["r/sorted_inventory/partition_00000/part-00000.csv", "r/sorted_inventory/partitions.csv"]


def test_overrides_name_archives_first_and_what_is_wrong_with_them_is_told(bucket: Bucket) -> None:
    bucket.put(
        "r/naming_overrides/overrides.csv",
        "\r\n".join(
            [
                "FileName,GlacierArchiveID",
                f'"chosen, ""well"".txt",{archive_id(1)}',
                f"taken.txt,{archive_id(2)}",
                f"taken.txt,{archive_id(3)}",
                f"nai\u0308ve\\x.txt,{archive_id(4)}",
                f"unknown.txt,{archive_id(99)}",
                "short.txt,abc",
                f"..,{archive_id(5)}",
                f"once,{archive_id(6)}",
                f"twice,{archive_id(6)}",
                f"of three,{archive_id(0)},columns",
                f'"open,{archive_id(0)}',
                f'"closed"early,{archive_id(0)}',
            ]
        ),
    )
    bucket.run(*(row(number, text) for number, text in enumerate(["taken.txt", "b", "c", "d", "e", "f", "g"])))
    names = bucket.names()
    assert names[archive_id(0)] == naming.with_suffix("taken.txt", archive_id(0))
    assert names[archive_id(1)] == 'chosen, "well".txt'
    assert names[archive_id(2)] == "taken.txt"
    assert names[archive_id(3)] == naming.with_suffix("taken.txt", archive_id(3))
    assert names[archive_id(4)] == "na\u00efve/x.txt"
    assert names[archive_id(5)] == "f"
    assert names[archive_id(6)] == "once"
    problems = bucket.table("r/rejected_rows/override_problems.csv")
    assert sorted((row["GlacierArchiveID"][-3:], row["FileName"], row["Reason"].split(",")[0]) for row in problems) == [
        ("", f'"closed"early,{archive_id(0)}', "its quotes are not closed"),
        ("", f'"open,{archive_id(0)}', "its quotes are not closed"),
        (
            "",
            f"of three,{archive_id(0)},columns",
            "a line of 3 columns where the first has 2; put a name with a comma or a quote into quotes",
        ),
        ("003", "taken.txt", "the file name is taken; the archive got a suffix"),
        ("005", "..", "the file name is empty"),
        ("006", "twice", "this archive has another line with another name"),
        ("099", "unknown.txt", "no archive of the inventory has this id"),
        ("abc", "short.txt", "not a Glacier archive id"),
    ]


def test_a_wrong_header_of_the_overrides_is_refused(bucket: Bucket) -> None:
    bucket.put("r/naming_overrides/overrides.csv", "Id,Name\n")
    with pytest.raises(InvalidInput, match="GlacierArchiveID,FileName"):
        bucket.run(row(1, "x"))


def test_archives_of_one_moment_are_cut_by_their_ids(bucket: Bucket) -> None:
    bucket = replace(bucket, partition_archives=5, file_archives=2)
    bucket.run(*(row(number, "same") for number in range(17)))
    archives = bucket.archives()
    assert [archive.archive_id for archive in archives] == [archive_id(number) for number in range(17)]
    assert all(int(partition["Archives"]) <= 5 for partition in bucket.partitions())
