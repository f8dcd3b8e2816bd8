"""Verification says of each archive whether its object is there and is what it was."""

from __future__ import annotations

import json
from dataclasses import replace

from typer.testing import CliRunner

from solution.cli.failures import ExitCode
from solution.cli.main import app
from solution.cli.verify import verify_archives
from solution.contract import object_keys
from solution.domain.status import Metric
from tests.unit.cli.conftest import Deployment

CONTENTS = {"a/one.txt": b"one", 'two, and "more".txt': b"two" * 500_000, "ümlaut.bin": b"\x00"}


def copied(deployment: Deployment) -> None:
    deployment.record_run("r")
    deployment.count("r", {Metric.TOTAL: len(CONTENTS)})
    archives = deployment.sort_inventory("r", CONTENTS)
    for archive in archives:
        deployment.copy("r", archive, CONTENTS[archive.file_name])


def test_copies_of_everything_are_verified_deeply(deployment: Deployment) -> None:
    copied(deployment)
    answer = CliRunner().invoke(app, ["verify", "r", "--deep", "--json"])
    assert answer.exit_code == ExitCode.OK
    assert json.loads(answer.stdout)["archives"] == 3
    assert json.loads(answer.stdout)["differences"] == []


def test_a_missing_object_is_named(deployment: Deployment) -> None:
    copied(deployment)
    deployment.target.s3.delete_object(Bucket="destination", Key="r/a/one.txt")
    answer = CliRunner().invoke(app, ["verify", "r", "--json"])
    differences = json.loads(answer.stdout)["differences"]
    assert answer.exit_code == ExitCode.DIFFERENT
    assert [(found["key"], found["reason"]) for found in differences] == [("r/a/one.txt", "the object is missing")]


def test_people_are_told_which_object_differs(deployment: Deployment) -> None:
    copied(deployment)
    deployment.target.s3.delete_object(Bucket="destination", Key="r/a/one.txt")
    answer = CliRunner().invoke(app, ["verify", "r"])
    assert "2 of 3 archives are in the bucket" in answer.stdout
    assert "r/a/one.txt" in answer.stdout


def test_an_object_of_another_archive_differs(deployment: Deployment) -> None:
    archives = deployment.sort_inventory("r", CONTENTS)
    stranger = replace(archives[0], archive_id="x" * 138)
    deployment.copy("r", stranger, CONTENTS["a/one.txt"])
    found = verify_archives(deployment.target, "r", archives[:1], deep=False)
    assert [difference.reason for difference in found.differences] == [f"the object is of archive {'x' * 138}"]


def test_an_object_of_another_size_differs(deployment: Deployment) -> None:
    archives = deployment.sort_inventory("r", CONTENTS)
    deployment.copy("r", archives[0], b"on")
    found = verify_archives(deployment.target, "r", archives[:1], deep=False)
    assert [difference.reason for difference in found.differences] == ["the object has 2 bytes, the archive 3"]


def test_only_a_deep_verification_sees_changed_bytes(deployment: Deployment) -> None:
    archives = deployment.sort_inventory("r", CONTENTS)
    deployment.copy("r", archives[0], b"eno")
    shallow = verify_archives(deployment.target, "r", archives[:1], deep=False)
    deep = verify_archives(deployment.target, "r", archives[:1], deep=True)
    assert shallow.differences == ()
    assert "bytes have tree hash" in deep.differences[0].reason


def test_an_object_that_must_be_restored_first_is_not_called_equal(deployment: Deployment) -> None:
    archives = deployment.sort_inventory("r", CONTENTS)
    deployment.target.s3.put_object(
        Bucket="destination",
        Key="r/a/one.txt",
        Body=b"one",
        StorageClass="DEEP_ARCHIVE",
        Metadata={
            object_keys.METADATA_ARCHIVE_ID: archives[0].archive_id,
            object_keys.METADATA_TREE_HASH: archives[0].tree_hash,
        },
    )
    found = verify_archives(deployment.target, "r", archives[:1], deep=True)
    assert "must be restored" in found.differences[0].reason


def test_a_run_without_sorted_inventory_cannot_be_verified(deployment: Deployment) -> None:
    deployment.record_run("r")
    answer = CliRunner().invoke(app, ["verify", "r", "--json"])
    assert answer.exception is not None
    assert "no sorted inventory" in str(answer.exception)
