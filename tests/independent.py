"""Checksums by an implementation that is not ours, for tests to compare with."""

from __future__ import annotations

import io

from botocore.utils import calculate_tree_hash


def botocore_tree_hash(data: bytes | bytearray | memoryview) -> str:
    """Tree hash of ``data`` as botocore computes it."""
    return calculate_tree_hash(io.BytesIO(data))  # type: ignore[arg-type]  # the stubs say str, the code reads a file
