"""Stand-ins for the functions that state machines call: each asks the test what to answer, and so tells of its call."""

from __future__ import annotations

import json
import socketserver
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from solution.contract import entry_points as functions
from solution.contract.entry_points import EntryPoint

Answer = Callable[[dict[str, Any]], Any]
"""Gets the event, returns the function's result, or raises what the function raises."""

CALLED_BY_MACHINES = (
    functions.RUN_REGISTRAR,
    functions.RUN_CLOSER,
    functions.ARCHIVES_SCAN,
    functions.ARCHIVES_STATUS_STOP,
    functions.COUNTERS_RECOUNT,
    functions.INVENTORY_JOB_REQUEST,
    functions.INVENTORY_JOB_STATUS,
    functions.INVENTORY_UPLOAD_START,
    functions.INVENTORY_CHUNK_TRANSFER,
    functions.INVENTORY_UPLOAD_COMPLETE,
    functions.PROVIDED_INVENTORY_CHECK,
    functions.NAMING_OVERRIDE_FETCH,
    functions.SEND_ANONYMIZED_STATS,
    functions.INITIATE_ARCHIVE_RETRIEVAL,
    functions.CALCULATE_TIMEOUT,
    functions.EXTEND_WINDOW_REQUEST,
    functions.ABORT_UPLOADS,
    functions.UNREQUESTED_LISTING,
    functions.RUN_REPORT,
    functions.COMPLETION_NOTICE,
)

_CODE = """
import json, os, socket

NAME = os.environ["AWS_LAMBDA_FUNCTION_NAME"].rpartition("-")[0]


def handler(event, context):
    with socket.create_connection(("127.0.0.1", {port})) as line:
        line.sendall(json.dumps({{"function": NAME, "event": event}}).encode() + b"\\n")
        answer = json.loads(line.makefile("rb").readline())
    if "error" in answer:
        raise type(answer["error"], (Exception,), {{}})(answer["message"])
    return answer["result"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function: when it began and when its answer was ready (monotonic seconds), and with what event."""

    function: str
    event: dict[str, Any]
    began: float
    ended: float


class Stubs:
    """What the functions answer, and every call of them in the order in which they were answered."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._calls: list[Call] = []
        self._begun: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self.over = threading.Event()
        """Set when the test is over: whoever answers late may stop."""

    def answer(self, function: EntryPoint, answer: Answer) -> None:
        """Let the function answer so from now on."""
        self._answers[function.name] = answer

    def answers(self, function: EntryPoint) -> Answer:
        """How the function answers now."""
        return self._answers[function.name]

    def calls(self, function: EntryPoint) -> list[Call]:
        """Its calls so far."""
        with self._lock:
            return [call for call in self._calls if call.function == function.name]

    def begun(self, function: EntryPoint, run: str) -> bool:
        """Whether it has been called for the run, answered or not."""
        with self._lock:
            return any(called == function.name and run in event for called, event in self._begun)

    def events(self, function: EntryPoint) -> list[dict[str, Any]]:
        """What it was given."""
        return [call.event for call in self.calls(function)]

    def called(self) -> list[str]:
        """Names of the functions in the order of their calls, each call once."""
        with self._lock:
            return [call.function for call in self._calls]

    def hang(self, _event: dict[str, Any]) -> None:
        """An answer that does not come before the test is over."""
        self.over.wait()

    def reply(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """The line that goes back to the function."""
        began = time.monotonic()
        with self._lock:
            self._begun.append((function, json.dumps(event)))
        try:
            found: dict[str, Any] = {"result": self._answers[function](event)}
        except Exception as error:  # noqa: BLE001 - whatever the test raises is what the function raises
            found = {"error": type(error).__name__, "message": str(error)}
        with self._lock:
            self._calls.append(Call(function=function, event=event, began=began, ended=time.monotonic()))
        return found


class Exchange(socketserver.ThreadingTCPServer):
    """Where the functions ask; ``stubs`` are those of the present test."""

    daemon_threads = True
    stubs: Stubs | None = None

    @property
    def code(self) -> str:
        """Source of a function that asks here."""
        return textwrap.dedent(_CODE.format(port=self.server_address[1]))


class _Line(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Exchange)
        stubs = self.server.stubs
        asked = json.loads(self.rfile.readline())
        answer = {"error": "NobodyAsked", "message": "no test is running"}
        if stubs is not None:
            answer = stubs.reply(asked["function"], asked["event"])
        self.wfile.write(json.dumps(answer).encode() + b"\n")


@contextmanager
def exchange() -> Iterator[Exchange]:
    """Serve until the end of the block."""
    with Exchange(("127.0.0.1", 0), _Line) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def always(result: Any) -> Answer:
    """The same result each time."""
    return lambda _event: result


def in_turn(*answers: Any) -> Answer:
    """One result, or exception, after the other; the last one for all further calls."""
    left = list(answers)
    lock = threading.Lock()

    def answer(_event: dict[str, Any]) -> Any:
        with lock:
            found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return answer


def error(name: str, message: str = "as the test wishes") -> Exception:
    """An exception of a class of this name, such as ``Throttled``."""
    made: Exception = type(name, (Exception,), {})(message)
    return made


def quiet(event: dict[str, Any]) -> dict[str, Any]:
    """The run is the clean-up's, and nothing of it moves."""
    return {"found": "ours", "quiet": True, "failure": event["failure"], "memory": {}}


PLAIN_ANSWERS: Mapping[EntryPoint, Any] = {
    functions.ARCHIVES_SCAN: {"next": None, "found": 0},
    functions.ARCHIVES_STATUS_STOP: {"stopped": 0},
    functions.COUNTERS_RECOUNT: {"next": None},
    functions.INVENTORY_UPLOAD_COMPLETE: {"missing": []},
    functions.PROVIDED_INVENTORY_CHECK: {"files": 1, "bytes": 1, "rows": 1, "next": None},
    functions.NAMING_OVERRIDE_FETCH: {"key": "overrides.csv", "bytes": 1},
    functions.SEND_ANONYMIZED_STATS: {"sent": False},
    functions.INITIATE_ARCHIVE_RETRIEVAL: {"requested": 0, "failed": 0, "already": 0},
    functions.CALCULATE_TIMEOUT: {"seconds": 0},
    functions.EXTEND_WINDOW_REQUEST: {"extended": 0, "requested_again": 0},
    functions.ABORT_UPLOADS: {"aborted": 0},
    functions.UNREQUESTED_LISTING: {"found": 0},
    functions.RUN_REPORT: {"outcome": "COMPLETED", "archives": {}, "failed_archives_key": "f", "summary_key": "s"},
    functions.COMPLETION_NOTICE: {"outcome": "COMPLETED"},
}
"""What a function answers when a story does not say."""
