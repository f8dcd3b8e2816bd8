"""Inventories: every archive once, as it was when the job was asked for, in a form that can be read back."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from solution.mocking.glacier import GlacierService, GlacierSettings
from solution.mocking.glacier.inventory import csv_row
from solution.mocking.glacier.store import StoredArchive
from solution.mocking.vaults import samples
from solution.mocking.vaults.virtual import VirtualVault
from tests.unit.mocking.caller import HOUR, Glacier, error

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ["ArchiveId", "ArchiveDescription", "CreationDate", "Size", "SHA256TreeHash"]


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), doublequote=False, escapechar="\\"))


def archive(description: str) -> StoredArchive:
    return StoredArchive(
        archive_id="id",
        description=description,
        created=0.0,
        size=1,
        tree_hash="00",
        body=None,
        virtual=None,
        position="s1",
    )


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_description_survives_the_csv(description: str) -> None:
    [row] = read_csv(csv_row(archive(description)) + "\n")
    assert row == ["id", description, "1970-01-01T00:00:00Z", "1", "00"]


def test_quotes_and_backslashes_are_escaped_with_a_backslash() -> None:
    assert csv_row(archive('a "b" \\c')) == 'id,"a \\"b\\" \\\\c",1970-01-01T00:00:00Z,1,00'


def test_the_awkward_sample_reads_the_same_in_both_forms(glacier: Glacier) -> None:
    ids = samples.fill(glacier.service, "awkward")
    document = json.loads(glacier.inventory("awkward"))
    header, *rows = read_csv(glacier.inventory("awkward", "CSV").decode())
    assert header == HEADER
    assert [row[0] for row in rows] == ids
    assert document["VaultARN"].endswith(":vaults/awkward")
    assert document["InventoryDate"]
    listed = [[str(item[name]) for name in HEADER] for item in document["ArchiveList"]]
    assert listed == rows
    assert [row[1] for row in rows] == [item.description for item in samples.SAMPLES["awkward"].archives]


def test_an_empty_vault_has_an_empty_inventory(glacier: Glacier) -> None:
    assert json.loads(glacier.inventory())["ArchiveList"] == []
    assert glacier.inventory(form="CSV").decode() == ",".join(HEADER) + "\n"


def test_the_inventory_is_that_of_the_moment_it_was_asked_for(glacier: Glacier) -> None:
    kept, doomed = glacier.upload(b"kept"), glacier.upload(b"doomed")
    gone = glacier.upload(b"gone before")
    glacier.ok("DELETE", f"/vaults/v/archives/{gone}")
    job = glacier.initiate(Type="inventory-retrieval")
    glacier.upload(b"too late")
    glacier.ok("DELETE", f"/vaults/v/archives/{doomed}")
    glacier.wait()
    listed = json.loads(glacier.output(job).read())["ArchiveList"]
    assert [item["ArchiveId"] for item in listed] == [kept, doomed]


def test_the_inventory_has_no_tree_hash_but_ranges_and_a_size(glacier: Glacier) -> None:
    glacier.upload(b"abc")
    job = glacier.initiate(Type="inventory-retrieval", Format="CSV")
    glacier.wait()
    whole = glacier.output(job)
    data = whole.read()
    assert whole.headers["Content-Type"] == "text/csv"
    assert "x-amz-sha256-tree-hash" not in whole.headers
    description = glacier.job(job)
    assert description["InventorySizeInBytes"] == len(data)
    assert description["InventoryRetrievalParameters"]["Format"] == "CSV"
    part = glacier.output(job, first=10, last=19)
    assert part.read() == data[10:20]
    assert part.status == 206
    assert "x-amz-sha256-tree-hash" not in part.headers
    assert error(glacier.output(job, first=0, last=len(data)))[0] == 400


def test_pages_by_limit_and_marker_cover_every_archive_once(glacier: Glacier) -> None:
    glacier.service.create_vault("mixed", VirtualVault(seed="m", archive_count=5))
    stored = [glacier.service.add_archive("mixed", b"x", created=1.0) for _ in range(4)]
    found: list[str] = []
    marker: str | None = None
    while True:
        wanted = {"Limit": "2"} | ({"Marker": marker} if marker else {})
        job = glacier.initiate("mixed", Type="inventory-retrieval", InventoryRetrievalParameters=wanted)
        glacier.wait()
        page = json.loads(glacier.output(job, "mixed").read())["ArchiveList"]
        assert len(page) <= 2
        found += [item["ArchiveId"] for item in page]
        marker = glacier.job(job, "mixed")["InventoryRetrievalParameters"]["Marker"]
        if marker is None:
            break
    assert len(found) == len(set(found)) == 9
    assert found[5:] == stored


def test_dates_select_from_the_start_to_before_the_end(glacier: Glacier) -> None:
    days = [glacier.service.add_archive("v", b"x", created=day * 24.0 * HOUR) for day in range(4)]
    wanted = {"StartDate": "1970-01-02T00:00:00Z", "EndDate": "1970-01-04"}
    listed = json.loads(glacier.inventory(InventoryRetrievalParameters=wanted))["ArchiveList"]
    assert [item["ArchiveId"] for item in listed] == days[1:3]


def test_with_a_lag_young_archives_are_not_seen_yet(tmp_path: Path, glacier: Glacier) -> None:
    service = GlacierService(tmp_path / "lag", settings=GlacierSettings(inventory_lag=24 * HOUR), clock=glacier.clock)
    lagging = Glacier(service=service, clock=glacier.clock, notifier=glacier.notifier)
    service.create_vault("v")
    old = lagging.upload(b"old")
    lagging.wait(25)
    lagging.upload(b"young")
    assert lagging.document("GET", "/vaults/v")["NumberOfArchives"] == 1
    listed = json.loads(lagging.inventory())["ArchiveList"]
    assert [item["ArchiveId"] for item in listed] == [old]
    service.close()


def test_a_virtual_vault_lists_every_archive_in_order(glacier: Glacier) -> None:
    vault = VirtualVault(seed="rows", archive_count=20_000, sizes=(1, 2))
    glacier.service.create_vault("rows", vault)
    _, *rows = read_csv(glacier.inventory("rows", "CSV").decode())
    assert [row[0] for row in rows] == [found.archive_id for found in vault.archives()]
    assert sum(int(row[3]) for row in rows) == vault.total_size
