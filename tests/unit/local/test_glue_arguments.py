"""The part of ``awsglue`` that a job reads its arguments by."""

from __future__ import annotations

import pytest

from solution.local.services.glue_shim.awsglue.utils import GlueArgumentError, getResolvedOptions


def test_arguments_are_read_as_glue_reads_them() -> None:
    argv = ["script.py", "--a", "1", "--b=2", "--unused", "x"]
    assert getResolvedOptions(argv, ["a", "b"]) == {"a": "1", "b": "2"}
    with pytest.raises(GlueArgumentError, match="--c"):
        getResolvedOptions(argv, ["a", "c"])
