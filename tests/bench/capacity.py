"""Capacity units of DynamoDB, computed from the sizes of items: the local AWS does not say what a call consumes.

"DynamoDB item sizes and formats" and "DynamoDB read and write operations", Amazon DynamoDB Developer Guide: a write
takes a unit per KB of the larger of the item before and after, twice that in a transaction, whether its condition
holds or not; a consistent read takes a unit per 4 KB, and one for an item that is not there.
"""

from __future__ import annotations

from typing import Any

Item = dict[str, Any]
KB = 1024


def item_size(item: Item | None) -> int:
    """Bytes that DynamoDB counts: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in (item or {}).items())


def write_units(before: Item | None, after: Item | None) -> int:
    """Units of one write, outside a transaction."""
    return max(1, -(-max(item_size(before), item_size(after)) // KB))


def read_units(size: int) -> int:
    """Units of one consistent read of ``size`` bytes."""
    return max(1, -(-size // (4 * KB)))


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content.lstrip("-")) // 2 + 2
    if kind == "B":
        return len(content)
    if kind in ("SS", "BS"):
        return sum(len(one) for one in content)
    if kind in ("M", "L"):
        return 3 + len(content) + (item_size(content) if kind == "M" else sum(map(_value_size, content)))
    if kind in ("BOOL", "NULL"):
        return 1
    raise ValueError(f"no item of this solution holds a value of type {kind}: tell its size here")
