"""Sizes of the archives in an inventory of a vault, without reading its descriptions."""

from __future__ import annotations

import re
from array import array
from pathlib import Path
from typing import Final

from solution.contract.object_keys import INVENTORY_COLUMNS
from solution.domain.errors import InvalidInput

# Descriptions may hold commas, quotes and line breaks, quoted in two ways; the three fields behind them are rigid.
_END: Final = re.compile(
    rb',"?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:Z|[+-]\d\d:?\d\d)?"?,"?(\d{1,15})"?,"?[0-9a-fA-F]{64}"?$'
)


def read_sizes(path: Path, *, in_order: bool) -> array[int]:
    """Sizes of all archives; ``in_order`` of creation, which needs memory for a date each.

    Raises `InvalidInput` for a file that is no inventory in CSV.
    """
    sizes = array("Q")
    dates: list[bytes] = []
    with path.open("rb") as lines:
        header = next(lines, b"").decode("utf-8", "replace").removeprefix("\N{BYTE ORDER MARK}").rstrip("\r\n")
        if tuple(name.strip('"') for name in header.split(",")) != INVENTORY_COLUMNS:
            raise InvalidInput(
                f"{path} is not a vault's inventory in CSV: its first line is {header[:80]!r}, "
                f"it must be {','.join(INVENTORY_COLUMNS)!r}"
            )
        for line in lines:
            end = _END.search(line.rstrip(b"\r\n"))
            if end is None:
                continue  # blank, or a description goes on in the next line
            sizes.append(int(end[2]))
            if in_order:
                dates.append(end[1])
    if in_order:
        sizes = array("Q", (sizes[row] for row in sorted(range(len(dates)), key=dates.__getitem__)))
    return sizes
