"""Counts what the functions do, while they do it: calls, capacity, clients, log lines, invocations."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3

from solution.application.observability import logger
from tests.bench import capacity

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000, aws_request_id="request")

CHANGES_PER_SECOND = 400
"""How dense the stream of changes is made: four changes of each of 100 archives per second."""

PLATFORM_LINES = "".join(
    json.dumps(line) + "\n"
    for line in (
        {
            "time": "2025-01-01T00:00:00.000Z",
            "type": "platform.start",
            "record": {"requestId": "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa", "version": "$LATEST"},
        },
        {
            "time": "2025-01-01T00:00:00.000Z",
            "type": "platform.report",
            "record": {
                "requestId": "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa",
                "metrics": {
                    "durationMs": 1000.001,
                    "billedDurationMs": 1001,
                    "memorySizeMB": 1769,
                    "maxMemoryUsedMB": 128,
                },
                "status": "success",
            },
        },
    )
)
"""What Lambda itself logs of an invocation ("Lambda telemetry log events", AWS Lambda Developer Guide)."""


class _Counted(io.StringIO):
    """Counts what is written and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.octets = 0

    def write(self, text: str, /) -> int:
        self.octets += len(text.encode())
        return len(text)


@dataclass
class Meter:
    """All counts since it was made. ``look`` reads an item behind the meter's back, by table and key."""

    look: Callable[[str, capacity.Item], capacity.Item | None]
    stream_table: str
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls_of: Counter[tuple[str, str]] = field(default_factory=Counter)
    invocations: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    write_units: float = 0
    read_units: float = 0
    stream: list[dict[str, Any]] = field(default_factory=list)
    _function: str = ""
    _items: dict[tuple[str, str], capacity.Item | None] = field(default_factory=dict)
    _log: _Counted = field(default_factory=_Counted)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def log_bytes(self) -> int:
        """Bytes that our functions logged."""
        return self._log.octets

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count what clients do that are made from now on with ``boto3.client``."""
        boto3.setup_default_session()
        session: Any = boto3.DEFAULT_SESSION
        session.events.register("creating-client-class", self._client_made)
        session.events.register("before-parameter-build", self._keep_parameters)
        session.events.register("before-send", self._sent)
        session.events.register("after-call.dynamodb", self._answered)
        handler: Any = logger.registered_handler
        stream = handler.setStream(self._log)
        try:
            yield
        finally:
            handler.setStream(stream)
            boto3.DEFAULT_SESSION = None

    def invoke(self, handler: Callable[[dict[str, Any], Any], Any], event: dict[str, Any]) -> Any:
        """One invocation of a function."""
        name = str(handler.__module__).rpartition(".")[2]
        self.invocations[name] += 1
        self._function = name
        return handler(event, CONTEXT)

    def _client_made(self, event_name: str, **_: Any) -> None:
        self.clients[event_name.rpartition(".")[2]] += 1

    def _keep_parameters(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["metered"] = params

    def _sent(self, event_name: str, **_: Any) -> None:
        service, operation = event_name.split(".")[1:]
        with self._lock:
            self.calls[service, operation] += 1
            self.calls_of[self._function, operation] += 1

    def _answered(self, model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        params = context["metered"]
        with self._lock:
            count = getattr(self, f"_on_{model.name}")
            count(params, parsed)

    # what each operation of DynamoDB consumes

    def _on_PutItem(self, params: Any, _: Any) -> None:  # noqa: N802 - an operation's name
        self._wrote(params["TableName"], params["Item"])

    def _on_UpdateItem(self, params: Any, _: Any) -> None:  # noqa: N802
        self._wrote(params["TableName"], params["Key"])

    def _on_BatchExecuteStatement(self, params: Any, _: Any) -> None:  # noqa: N802
        for statement in params["Statements"]:
            text = statement["Statement"]
            table = text.split('"')[1]
            # INSERT names pk and sk first; UPDATE compares them first in its condition
            skipped = text.partition(" WHERE ")[0].count("?") if text.startswith("UPDATE") else 0
            pk, sk = statement["Parameters"][skipped : skipped + 2]
            self._wrote(table, {"pk": pk, "sk": sk})

    def _on_BatchWriteItem(self, params: Any, _: Any) -> None:  # noqa: N802
        for table, requests in params["RequestItems"].items():
            for request in requests:
                self._wrote(table, request["DeleteRequest"]["Key"])

    def _on_TransactWriteItems(self, params: Any, _: Any) -> None:  # noqa: N802
        for item in params["TransactItems"]:
            self._wrote(item["Update"]["TableName"], item["Update"]["Key"], factor=2)

    def _on_GetItem(self, _: Any, parsed: Any) -> None:  # noqa: N802
        self.read_units += capacity.read_units(capacity.item_size(parsed.get("Item")))

    def _on_BatchGetItem(self, params: Any, parsed: Any) -> None:  # noqa: N802
        for table, asked in params["RequestItems"].items():
            found = parsed["Responses"].get(table, [])
            self.read_units += sum(capacity.read_units(capacity.item_size(item)) for item in found)
            self.read_units += len(asked["Keys"]) - len(found)

    def _on_Query(self, _: Any, parsed: Any) -> None:  # noqa: N802
        self.read_units += capacity.read_units(sum(capacity.item_size(item) for item in parsed["Items"]))

    def _wrote(self, table: str, key: capacity.Item, *, factor: int = 1) -> None:
        key = {name: key[name] for name in ("pk", "sk", "job_id") if name in key}
        identity = (table, json.dumps(key, sort_keys=True))
        before = self._items.get(identity)
        after = self.look(table, key)
        self._items[identity] = after
        self.write_units += factor * capacity.write_units(before, after)
        if table == self.stream_table and after != before and after and "status" in after:
            self._tell(key, before, after)

    def _tell(self, key: capacity.Item, before: capacity.Item | None, after: capacity.Item) -> None:
        number = len(self.stream)
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": 1_735_689_600 + number // CHANGES_PER_SECOND,
            "Keys": key,
            "NewImage": after,
            "SequenceNumber": f"{number:021d}",
        }
        if before is not None:
            change["OldImage"] = before
        kind = "INSERT" if before is None else "MODIFY"
        self.stream.append({"eventID": str(number), "eventName": kind, "dynamodb": change})
