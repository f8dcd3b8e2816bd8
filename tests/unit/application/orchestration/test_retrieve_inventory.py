"""From the inventory job to one file, in ranges."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles, InMemoryInventoryUploads
from solution.application.ports.glacier import JobOutput, JobState
from solution.application.use_cases.retrieve_inventory import (
    CompleteInventoryUpload,
    DescribeInventoryJob,
    RequestInventory,
    StartInventoryUpload,
    TransferInventoryRange,
    plan_ranges,
)
from solution.domain.chunk_plan import MIB, Chunk
from solution.domain.errors import GlacierJobError, NotPossible, ShortRead, UploadVanished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.domain.archive import Tier

KEY = "run-1/original_inventory/inventory.csv"


class _Glacier:
    def __init__(self, body: bytes = b"", *, state: JobState | None = None, cuts: int = 0, excess: bytes = b"") -> None:
        self.body, self.state, self.cuts, self.excess = body, state, cuts, excess
        self.asked: list[tuple[str, str]] = []

    def request_archive(self, *, vault: str, archive_id: str, tier: Tier, run: str) -> str:
        raise NotImplementedError(vault, archive_id, tier, run)

    def request_inventory(self, *, vault: str, run: str) -> str:
        self.asked.append((vault, run))
        return "job-1"

    def describe(self, *, vault: str, job_id: str) -> JobState:
        assert (vault, job_id) == ("photos", "job-1")
        assert self.state is not None
        return self.state

    @contextmanager
    def open_output(
        self, *, vault: str, job_id: str, first: int | None = None, last: int | None = None
    ) -> Iterator[JobOutput]:
        assert (vault, job_id) == ("photos", "job-1")
        assert first is not None
        assert last is not None
        content = self.body[first : last + 1] + self.excess
        if self.cuts:
            self.cuts -= 1
            content = content[:-1]
        yield JobOutput(body=io.BytesIO(content), length=len(content), tree_hash=None)


class _Desk:
    """An upload under way for an inventory."""

    def __init__(self, glacier: _Glacier) -> None:
        self.files = InMemoryInventoryFiles()
        self.uploads = InMemoryInventoryUploads(self.files)
        self.clock = ManualClock()
        self.glacier = glacier
        self.upload = StartInventoryUpload(uploads=self.uploads)(run="run-1", job_id="job-1", size=len(glacier.body))

    def copy(self, chunk: Chunk) -> int:
        transfer = TransferInventoryRange(glacier=self.glacier, uploads=self.uploads, clock=self.clock)
        return transfer(vault="photos", job_id="job-1", key=KEY, upload_id=self.upload.upload_id, chunk=chunk)

    def complete(self, *, size: int, parts: int) -> None:
        complete = CompleteInventoryUpload(uploads=self.uploads, files=self.files)
        complete(key=KEY, upload_id=self.upload.upload_id, size=size, parts=parts)


def test_the_inventory_is_asked_for_in_the_name_of_the_run() -> None:
    glacier = _Glacier()
    assert RequestInventory(glacier=glacier)(run="run-1", vault="photos") == "job-1"
    assert glacier.asked == [("photos", "run-1")]


def _state(*, completed: bool, succeeded: bool = False, message: str = "") -> JobState:
    return JobState(
        job_id="job-1",
        completed=completed,
        succeeded=succeeded,
        status_message=message,
        inventory_size=7 if succeeded else None,
    )


def test_a_job_in_progress_is_no_failure() -> None:
    state = _state(completed=False)
    assert DescribeInventoryJob(glacier=_Glacier(state=state))(vault="photos", job_id="job-1") == state


def test_a_failed_job_is_an_error_with_glaciers_reason() -> None:
    glacier = _Glacier(state=_state(completed=True, message="Internal failure"))
    with pytest.raises(GlacierJobError, match="vault 'photos' failed: Internal failure"):
        DescribeInventoryJob(glacier=glacier)(vault="photos", job_id="job-1")


@pytest.mark.parametrize(
    ("size", "count", "length"),
    [
        (1, 1, 8 * MIB),
        (8 * MIB, 1, 8 * MIB),
        (8 * MIB + 1, 2, 8 * MIB),
        (500 * 8 * MIB, 500, 8 * MIB),
        (500 * 8 * MIB + 1, 251, 16 * MIB),
        (30 * 1024 * MIB, 480, 64 * MIB),
    ],
)
def test_ranges_are_few_and_large_enough(size: int, count: int, length: int) -> None:
    plan = plan_ranges(size)
    assert (plan.count, plan.chunk_size) == (count, length)
    assert sum(chunk.size for chunk in plan) == size


def test_an_output_of_no_bytes_is_refused() -> None:
    with pytest.raises(GlacierJobError, match="0 bytes"):
        _Desk(_Glacier(b""))


def test_ranges_become_one_file() -> None:
    body = bytes(range(256)) * (9 * MIB // 256)
    desk = _Desk(_Glacier(body))
    assert [desk.copy(chunk) for chunk in reversed(desk.upload.ranges)] == [MIB, 8 * MIB]
    desk.complete(size=len(body), parts=2)
    assert desk.files.files == {KEY: body}


def test_a_short_read_is_read_again() -> None:
    desk = _Desk(_Glacier(b"header\n", cuts=2))
    assert desk.copy(desk.upload.ranges[0]) == 7


@pytest.mark.parametrize("glacier", [_Glacier(b"header\n", cuts=9), _Glacier(b"header\n", excess=b"!")])
def test_a_range_of_the_wrong_length_is_never_uploaded(glacier: _Glacier) -> None:
    desk = _Desk(glacier)
    with pytest.raises(ShortRead, match="not the 7"):
        desk.copy(desk.upload.ranges[0])
    assert desk.uploads.parts(KEY, desk.upload.upload_id) == []


def test_a_second_start_drops_the_first_upload() -> None:
    desk = _Desk(_Glacier(b"header\n"))
    StartInventoryUpload(uploads=desk.uploads)(run="run-1", job_id="job-1", size=7)
    with pytest.raises(UploadVanished):
        desk.copy(desk.upload.ranges[0])


def test_an_upload_with_a_part_missing_is_not_completed() -> None:
    desk = _Desk(_Glacier(b"x" * (9 * MIB)))
    desk.copy(desk.upload.ranges[0])
    with pytest.raises(NotPossible, match="1 parts with 8388608 bytes, not 2 parts with 9437184 bytes"):
        desk.complete(size=9 * MIB, parts=2)
    assert desk.files.files == {}


def test_completing_twice_is_completing_once() -> None:
    desk = _Desk(_Glacier(b"header\n"))
    desk.copy(desk.upload.ranges[0])
    desk.complete(size=7, parts=1)
    desk.complete(size=7, parts=1)
    assert desk.files.files == {KEY: b"header\n"}


def test_an_upload_that_vanished_without_leaving_its_file_is_an_error() -> None:
    desk = _Desk(_Glacier(b"header\n"))
    desk.uploads.open.clear()
    with pytest.raises(UploadVanished):
        desk.complete(size=7, parts=1)
