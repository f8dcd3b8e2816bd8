"""Functions fed by DynamoDB streams: retry limits, bisected batches, partial failures, on-failure destinations.

MiniStack retries a failing batch whole and for ever, and runs it in the thread that also feeds the functions of all
queues. Here each mapping has a thread of its own. Source: *Process DynamoDB records with Lambda*.
"""

from __future__ import annotations

import contextvars
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import dynamodb, lambda_svc

from solution.local.patches.seam import Seam
from solution.local.settings import GatewaySettings

_IDLE_PAUSE: Final = 0.1
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_DEFAULT_BATCH: Final = 100

SourceMapping = dict[str, Any]
Records = list[dict[str, Any]]


def apply(settings: GatewaySettings) -> None:
    """Take the streams away from MiniStack's shared poller."""
    seam = Seam(lambda_svc)
    seam.require(
        *("_iter_all_esms", "_esms", "_dynamodb_stream_positions", "_dynamodb_stream_positions_lock"),
        *("_dynamodb_stream_table_from_arn_spec", "_get_func_record_for_qualifier", "_apply_filter_criteria"),
        *("_execute_function", "_send_ddb_stream_failure_record"),
    )
    Seam(dynamodb).require("_tables", "stream_start_position", "stream_end_position", "stream_records_since")
    poller = _Poller(settings)
    seam.replace("_poll_dynamodb_streams", lambda _: poller.ensure_running, parameters=())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Records of a stream from one position on; those that the filter lets through, and how many were read."""

    records: Records
    position: int
    read: int


class _Poller:
    def __init__(self, settings: GatewaySettings) -> None:
        self._time_factor = settings.time_factor
        self._started = False
        self._busy: set[str] = set()
        self._waiting_since: dict[str, float] = {}
        self._lock = threading.Lock()

    def ensure_running(self) -> bool:
        """Called in turns by MiniStack's poller once there are mappings; it has nothing to do itself."""
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._loop, name="stream-mappings", daemon=True).start()
        return False

    def _loop(self) -> None:
        while True:
            started = False
            for account, region, mapping in lambda_svc._iter_all_esms():
                if ":dynamodb:" in mapping.get("EventSourceArn", ""):
                    started = contextvars.copy_context().run(self._turn, account, region, mapping) or started
            if not started:
                time.sleep(_IDLE_PAUSE)

    def _turn(self, account: str, region: str, mapping: SourceMapping) -> bool:
        """Start the next batch of a mapping in a thread, unless one is under way."""
        set_request_account_id(account)
        set_request_region(region)
        identity = mapping["UUID"]
        if identity in self._busy or not mapping.get("Enabled", True):
            return False
        batch = self._next_batch(mapping)
        if batch is None:
            return False
        self._busy.add(identity)
        work = contextvars.copy_context()
        threading.Thread(target=work.run, args=(self._process, mapping, batch), daemon=True).start()
        return True

    def _next_batch(self, mapping: SourceMapping) -> _Batch | None:
        table = _table_of(mapping)
        if table is None:
            return None
        first, end = dynamodb.stream_start_position(table), dynamodb.stream_end_position(table)
        identity = mapping["UUID"]
        with lambda_svc._dynamodb_stream_positions_lock:
            positions = lambda_svc._dynamodb_stream_positions
            if identity not in positions:
                positions[identity] = first if mapping.get("StartingPosition") == "TRIM_HORIZON" else end
            position = max(positions[identity], first)
        size = int(mapping.get("BatchSize") or _DEFAULT_BATCH)
        records = dynamodb.stream_records_since(table, position, size)
        if not records or not self._window_closed(mapping, full=len(records) >= size):
            return None
        passing = lambda_svc._apply_filter_criteria(records, mapping)
        return _Batch(records=passing, position=position, read=len(records))

    def _window_closed(self, mapping: SourceMapping, *, full: bool) -> bool:
        """Whether enough records, or enough time for them, have come together."""
        identity = mapping["UUID"]
        window = float(mapping.get("MaximumBatchingWindowInSeconds") or 0) / self._time_factor
        since = self._waiting_since.setdefault(identity, time.monotonic())
        if not full and time.monotonic() - since < window:
            return False
        del self._waiting_since[identity]
        return True

    def _process(self, mapping: SourceMapping, batch: _Batch) -> None:
        try:
            if self._deliver(mapping, batch.records):
                with lambda_svc._dynamodb_stream_positions_lock:
                    lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = batch.position + batch.read
        finally:
            self._busy.discard(mapping["UUID"])

    def _deliver(self, mapping: SourceMapping, records: Records) -> bool:
        """Hand records to the function until they are done or given up; False when the mapping was switched off."""
        attempt = 0
        while records:
            if not _active(mapping):
                return False
            result = _invoke(mapping, records)
            failed = failed_records(mapping, records, result)
            mapping["LastProcessingResult"] = (
                "PROBLEM: Function call failed" if failed else f"OK - {len(records)} records"
            )
            if not failed:
                return True
            if len(failed) < len(records):
                attempt = 0
            if mapping.get("BisectBatchOnFunctionError") and len(failed) > 1:
                # A half starts with all its attempts: cutting does not count as one.
                middle = len(failed) // 2
                return self._deliver(mapping, failed[:middle]) and self._deliver(mapping, failed[middle:])
            if given_up := _given_up(mapping, failed, attempt):
                _report(mapping, failed, result, given_up)
                return True
            records = failed
            attempt += 0 if result.get("throttle") else 1
            time.sleep(min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))
        return True


def _table_of(mapping: SourceMapping) -> str | None:
    """The table whose present stream feeds an existing function."""
    arn = mapping.get("EventSourceArn", "")
    try:
        found = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(arn))
    except ArnParseError:
        return None
    table = dynamodb._tables.get(found[0]) if found else None
    return str(found[0]) if table and table.get("LatestStreamArn") == arn and _function(mapping) else None


def _function(mapping: SourceMapping) -> Any:
    record, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    return record


def _active(mapping: SourceMapping) -> bool:
    return mapping["UUID"] in lambda_svc._esms and mapping.get("Enabled", True) and _function(mapping) is not None


def _invoke(mapping: SourceMapping, records: Records) -> dict[str, Any]:
    result: dict[str, Any] = lambda_svc._execute_function(_function(mapping), {"Records": records})
    return result


def failed_records(mapping: SourceMapping, records: Records, result: dict[str, Any]) -> Records:
    """What must come again: all after an error, else everything from the first reported failure on.

    Streams are in order, so a failure holds back its successors (*Configuring partial batch response*). A report
    that names no record of the batch fails all of it.
    """
    if result.get("error"):
        return records
    body = result.get("body")
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []) or not isinstance(body, dict):
        return []
    reported = [item.get("itemIdentifier") for item in body.get("batchItemFailures") or []]
    if not reported:
        return []
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    if any(number not in numbers for number in reported):
        return records
    return records[min(numbers.index(number) for number in reported) :]


def _given_up(mapping: SourceMapping, records: Records, attempt: int) -> str:
    """Why these records are not tried again; empty when they are."""
    age = int(mapping.get("MaximumRecordAgeInSeconds") or -1)
    oldest = min(float(record["dynamodb"].get("ApproximateCreationDateTime", time.time())) for record in records)
    if 0 < age < time.time() - oldest:
        return "MaxRecordAgeExceeded"
    retries = mapping.get("MaximumRetryAttempts")
    return "RetryAttemptsExhausted" if retries is not None and 0 <= int(retries) <= attempt else ""


def _report(mapping: SourceMapping, records: Records, result: dict[str, Any], condition: str) -> None:
    lambda_svc._send_ddb_stream_failure_record(
        mapping, _function(mapping), records, mapping["EventSourceArn"], result, condition
    )
