"""Records of streams that no function has seen yet outlive a stop and a start, as everything else does.

MiniStack saves how far each mapping has read, but no records: after a start, records count from zero again, and a
mapping passes over as many as it had read before.
"""

from __future__ import annotations

from typing import Any, Final

from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import dynamodb, lambda_svc

from solution.local.patches.seam import Seam

_KEY: Final = "streams"

TableKey = tuple[str, str, str]
"""Account, region, name of a table."""


def apply() -> None:
    """Wrap saving and restoring of tables."""
    seam = Seam(dynamodb)
    seam.require("_stream_records", "_stream_trimmed")
    Seam(lambda_svc).require(
        *("_iter_all_esms", "_dynamodb_stream_positions", "_dynamodb_stream_positions_lock"),
        "_dynamodb_stream_table_from_arn_spec",
    )
    seam.replace("get_state", _saving, parameters=())
    seam.replace("load_persisted_state", _restoring, parameters=("data",))


def _saving(original: Any) -> Any:
    def get_state() -> dict[str, Any]:
        state: dict[str, Any] = original()
        read = _positions()
        streams = []
        for key, records in list(dynamodb._stream_records.all_items()):
            trimmed = dynamodb._stream_trimmed.get_scoped(*key) or 0
            done = max(0, read.get(key, trimmed) - trimmed)
            streams.append({"table": list(key), "trimmed": trimmed + done, "records": list(records[done:])})
        return {**state, _KEY: streams}

    return get_state


def _restoring(original: Any) -> Any:
    def load(data: Any) -> Any:
        answer = original(data)
        for stream in (data or {}).get(_KEY, []):
            account, region, table = stream["table"]
            dynamodb._stream_records.set_scoped(account, region, table, stream["records"])
            dynamodb._stream_trimmed.set_scoped(account, region, table, stream["trimmed"])
        return answer

    return load


def _positions() -> dict[TableKey, int]:
    """How far the slowest mapping of each table has read."""
    found: dict[TableKey, int] = {}
    with lambda_svc._dynamodb_stream_positions_lock:
        for account, region, mapping in lambda_svc._iter_all_esms():
            position = lambda_svc._dynamodb_stream_positions.get_scoped(account, region, mapping["UUID"])
            try:
                table = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(mapping.get("EventSourceArn", "")))
            except ArnParseError:
                table = None
            if table is not None and position is not None:
                key = (account, region, str(table[0]))
                found[key] = min(position, found.get(key, position))
    return found
