"""What the demo uploads, and that its comparison sees every difference."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from solution.cli.demo.archives import (
    CHUNK_SIZE_MIB,
    MIB,
    Sample,
    choose_samples,
    default_folder,
    generated_samples,
    snapshot,
)
from solution.cli.demo.comparison import Comparison, compare
from solution.cli.demo.vault import Uploaded
from solution.contract import object_keys
from solution.domain.errors import InvalidInput
from solution.domain.tree_hash import tree_hash
from tests.unit.cli.conftest import Deployment


def test_the_sizes_at_the_edges_are_there() -> None:
    sizes = {sample.size for sample in generated_samples()}
    assert {1, MIB, MIB + 1} <= sizes
    assert max(sizes) > 4 * CHUNK_SIZE_MIB * MIB


def test_two_archives_share_a_name_and_two_share_their_content() -> None:
    samples = [sample for sample in generated_samples() if sample.description.strip()]
    contents = [b"".join(sample.pieces()) for sample in samples if sample.size < MIB]
    assert len({sample.description for sample in samples}) < len(samples)
    assert len(set(contents)) < len(contents)


def test_descriptions_are_what_glacier_takes_and_yet_name_unicode() -> None:
    samples = generated_samples()
    assert all(all(32 <= ord(letter) < 127 for letter in sample.description) for sample in samples)
    assert all(len(sample.description) <= 1024 for sample in samples)
    fast = next(sample.description for sample in samples if sample.shows.startswith("FastGlacier"))
    assert "☕" in base64.b64decode(fast.partition("<p>")[2].partition("</p>")[0]).decode()
    escaped = next(sample.description for sample in samples if sample.shows.startswith("JSON"))
    assert json.loads(escaped)["Path"] == "写真/東京 2012.raw"


def test_generated_content_does_not_depend_on_how_it_is_read() -> None:
    sample = Sample(shows="any", description="any", size=3 * MIB + 17, seed=5)
    whole = b"".join(sample.pieces(4 * MIB))
    assert len(whole) == sample.size
    assert whole == b"".join(sample.pieces(MIB)) == b"".join(sample.pieces(700_001))
    assert [len(piece) for piece in sample.pieces(MIB)] == [MIB, MIB, MIB, 17]


def test_real_files_of_the_repository_are_uploaded() -> None:
    samples = choose_samples(60, default_folder())
    files = [sample for sample in samples if sample.path is not None]
    assert len(samples) == 60
    assert len(files) == 60 - len(generated_samples())
    assert all(sample.path is not None and sample.path.read_bytes() for sample in files)


def test_too_few_files_are_filled_up(tmp_path: Path) -> None:
    (tmp_path / "only.txt").write_text("one")
    (tmp_path / "empty.txt").touch()
    (tmp_path / ".hidden").write_text("no")
    samples = choose_samples(50, tmp_path)
    assert len(samples) == 50
    assert [sample.description for sample in samples if sample.path] == ["only.txt"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no file"):
        choose_samples(50, tmp_path)


def test_too_few_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--archives 39 is too few"):
        choose_samples(39, tmp_path)


def test_a_file_that_changes_during_the_demo_does_not_matter(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "changing.txt").write_text("before")
    samples = snapshot(choose_samples(40, source), tmp_path / "copies")
    (source / "changing.txt").write_text("after it was uploaded")
    [sample] = [sample for sample in samples if sample.path]
    assert b"".join(sample.pieces()) == b"before"
    assert sample.size == 6


class Copies:
    """Uploaded archives, and their objects as a faithful transfer leaves them."""

    def __init__(self, deployment: Deployment) -> None:
        self.s3 = deployment.target.s3
        self.uploaded = [
            Uploaded(sample=sample, archive_id=f"{number:0138d}", tree_hash=tree_hash(b"".join(sample.pieces())))
            for number, sample in enumerate(generated_samples())
            if sample.size <= MIB + 1
        ]
        for item in self.uploaded:
            self.put(item, b"".join(item.sample.pieces()))

    def put(self, item: Uploaded, content: bytes, *, key: str = "") -> None:
        self.s3.put_object(
            Bucket="destination",
            Key=f"demo/{key or item.archive_id}",
            Body=content,
            Metadata={object_keys.METADATA_ARCHIVE_ID: item.archive_id},
        )

    def compare(self) -> Comparison:
        return compare(self.s3, "destination", "demo", self.uploaded)


def test_equal_copies_are_equal(deployment: Deployment) -> None:
    copies = Copies(deployment)
    found = copies.compare()
    assert found.problems == ()
    assert found.equal == len(copies.uploaded)


def test_one_changed_byte_is_seen(deployment: Deployment) -> None:
    copies = Copies(deployment)
    item = next(item for item in copies.uploaded if item.sample.size == MIB + 1)
    content = bytearray(b"".join(item.sample.pieces()))
    content[-1] ^= 1
    copies.put(item, bytes(content))
    found = copies.compare()
    assert found.equal == len(copies.uploaded) - 1
    assert found.problems == (f"demo/{item.archive_id} differs from the archive in the MiB at byte {MIB}",)


def test_a_missing_copy_and_a_stranger_are_seen(deployment: Deployment) -> None:
    copies = Copies(deployment)
    first = copies.uploaded[0]
    copies.put(Uploaded(sample=first.sample, archive_id="z" * 138, tree_hash=""), b"!", key=first.archive_id)
    problems = copies.compare().problems
    assert f"the archive of {first.sample.description!r} is missing" in problems
    assert f"demo/{first.archive_id} is not of an archive that was uploaded" in problems


def test_an_archive_that_was_copied_twice_is_seen(deployment: Deployment) -> None:
    copies = Copies(deployment)
    first = copies.uploaded[0]
    copies.put(first, b"".join(first.sample.pieces()), key="again")
    count = len(copies.uploaded)
    assert f"{count + 1} objects are copies of only {count} archives" in copies.compare().problems


def test_a_copy_of_another_size_is_seen(deployment: Deployment) -> None:
    copies = Copies(deployment)
    first = copies.uploaded[0]
    copies.put(first, b"longer")
    assert f"demo/{first.archive_id} has 6 bytes, the archive 1" in copies.compare().problems
