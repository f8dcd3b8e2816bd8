"""Cloud assemblies are read as files, and folders are zipped the same way each time."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from solution.local import SynthesisError
from solution.local.assembly import read_stack, zip_folder


def test_a_folder_gives_the_same_bytes_whenever_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/two.py", "one.py"):
        (tmp_path / name).write_text(name)
    first = zip_folder(tmp_path)
    os.utime(tmp_path / "one.py", (1, 1))
    assert zip_folder(tmp_path) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["b/two.py", "one.py"]


def test_a_folder_that_is_no_assembly_is_told(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match=r"manifest\.json cannot be read as part of a cloud assembly"):
        read_stack(tmp_path, "solution")


def test_a_stack_is_found_by_its_id_or_its_name(tmp_path: Path) -> None:
    artifact = {
        "type": "aws:cloudformation:stack",
        "displayName": "solution",
        "properties": {"templateFile": "t.json", "stackName": "named"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"id": artifact}}))
    (tmp_path / "t.json").write_text(json.dumps({"Parameters": {"P": {"Type": "String"}}}))
    for wanted in ("id", "named", "solution"):
        stack = read_stack(tmp_path, wanted)
        assert (stack.name, list(stack.parameters()), stack.assets) == ("named", ["P"], ())
