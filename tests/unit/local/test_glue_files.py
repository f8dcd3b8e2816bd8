"""Objects as files of a job, and the arguments it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from solution.local.services.glue_files import MirroredObjects
from solution.local.services.glue_shim.awsglue.utils import GlueArgumentError, getResolvedOptions


class Objects:
    """S3 in a dictionary, as far as jobs use it."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = {key.replace("__", "/"): body for key, body in objects.items()}

    def get_paginator(self, _: str) -> Objects:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803 - boto3's names
        keys = [key.removeprefix(f"{Bucket}/") for key in self.objects if key.startswith(f"{Bucket}/{Prefix}")]
        return [{"Contents": [{"Key": key} for key in keys]}]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": _Body(self.objects[f"{Bucket}/{Key}"])}

    def upload_fileobj(self, file: Any, bucket: str, key: str) -> None:
        self.objects[f"{bucket}/{key}"] = file.read()

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        del self.objects[f"{Bucket}/{Key}"]


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def iter_chunks(self, _: int) -> list[bytes]:
        return [self._data]


def test_what_a_job_adds_changes_and_removes_is_done_to_the_objects(tmp_path: Path) -> None:
    s3 = Objects(b__out__old=b"old", b__out__kept=b"kept", b__out__changed=b"1", b__other=b"other")
    mirror = MirroredObjects(s3, tmp_path)
    arguments = mirror.localise({"--output": "s3://b/out/", "--n": "5"})
    mirror.download()
    out = Path(arguments["--output"].removeprefix("file://"))
    (out / "old").unlink()
    (out / "changed").write_bytes(b"12")
    (out / "deep").mkdir()
    (out / "deep" / "new").write_bytes(b"new")
    (out / ".new.crc").write_bytes(b"checksum")
    mirror.upload()
    expected = {"b/out/kept": b"kept", "b/out/changed": b"12", "b/out/deep/new": b"new", "b/other": b"other"}
    assert s3.objects == expected
    assert arguments["--n"] == "5"
    assert arguments["--output"].endswith("/out/")


def test_a_key_cannot_leave_the_folder_of_its_bucket(tmp_path: Path) -> None:
    mirror = MirroredObjects(Objects(), tmp_path)
    with pytest.raises(ValueError, match="leaves its folder"):
        mirror.localise({"--output": "s3://b/../../etc/"})


def test_arguments_are_read_as_glue_reads_them() -> None:
    argv = ["script.py", "--a", "1", "--b=2", "--unused", "x"]
    assert getResolvedOptions(argv, ["a", "b"]) == {"a": "1", "b": "2"}
    with pytest.raises(GlueArgumentError, match="--c"):
        getResolvedOptions(argv, ["a", "c"])
