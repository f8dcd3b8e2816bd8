"""Items written by PartiQL statements appear in their table's stream.

MiniStack writes them without a stream record. Source: *Change data capture for DynamoDB Streams*, which knows no
difference between the ways of writing an item.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from ministack.services import dynamodb

from solution.local.patches.seam import Seam

_NO_SORT_KEY: Final = "__no_sort__"

Item = dict[str, Any]


def apply() -> None:
    """Wrap the three statements that write."""
    seam = Seam(dynamodb)
    seam.require("_partiql_key_target", "_extract_key_val", "_emit_stream_event")
    seam.replace("_partiql_insert", _with_record, parameters=("table", "parsed"))
    seam.replace("_partiql_update", _with_record, parameters=("table", "parsed", "data"))
    seam.replace("_partiql_delete", _with_record, parameters=("table", "parsed", "data"))


def _with_record(original: Any) -> Any:
    def write(table: Item, parsed: Item, *rest: Any) -> Any:
        before = _item(table, parsed)
        answer = original(table, parsed, *rest)
        after = _item(table, parsed)
        if before != after:
            name = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
            dynamodb._emit_stream_event(parsed["table"], name, before, after)
        return answer

    return write


def _item(table: Item, parsed: Item) -> Item | None:
    """The item that a statement names, as it is now; None when there is none."""
    if parsed["op"] == "INSERT":
        values = parsed.get("item") or {}
        values = values["M"] if set(values) == {"M"} else values
        key = dynamodb._extract_key_val(values.get(table["pk_name"]))
        sort_key = dynamodb._extract_key_val(values.get(table["sk_name"])) if table["sk_name"] else _NO_SORT_KEY
    else:
        key, sort_key, _, refusal = dynamodb._partiql_key_target(table, parsed)
        if refusal:
            return None
    found: Item | None = table["items"].get(key, {}).get(sort_key)
    return copy.deepcopy(found)
