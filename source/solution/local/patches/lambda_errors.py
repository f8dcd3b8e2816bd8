"""Errors of functions keep the name and the stack of their exception; a process that is gone is told as such.

MiniStack reports every exception as ``Runtime.HandlerError``, so that ``Retry`` and ``Catch`` by name never match.
AWS reports the name of the exception's class (*Lambda function errors in Python*), and ``Runtime.ExitError`` when the
process has ended before its answer, killed or out of memory.

And a process that ends while it starts makes MiniStack end every other process of the function, with the calls that
they work on. On AWS each has an environment of its own (*Understanding the Lambda execution environment lifecycle*).
"""

from __future__ import annotations

import threading
from typing import Any

from solution.local.patches.seam import Seam

_LOST = "Runtime.HandlerError"
_GONE = "Runtime.ExitError"
_DEATHS = ("Worker process died", "Worker process exited immediately", "Worker returned no response", "[Errno 32]")
"""How MiniStack begins to tell that a process has ended before its answer."""


def apply() -> None:
    """Let the worker send name and stack, and put them into the answer."""
    runtime = Seam("ministack.core.lambda_runtime")
    runtime.require("Worker.kill")
    runtime.replace_text(
        "_PYTHON_WORKER_SCRIPT",
        '"trace": traceback.format_exc()}',
        '"trace": traceback.format_exc(), "errorType": type(e).__name__, '
        '"stackTrace": traceback.format_tb(e.__traceback__)}',
    )
    last = threading.local()

    def remembering(original: Any) -> Any:
        def invoke(worker: Any, event: Any, request_id: str, **envelope: Any) -> dict[str, Any]:
            try:
                answer: dict[str, Any] = original(worker, event, request_id, **envelope)
            except Exception as error:  # noqa: BLE001 - it has not started, for whatever reason, and is started anew
                worker.kill()
                answer = {"status": "error", "error": str(error), "errorType": type(error).__name__}
            last.answer = answer
            return answer

        return invoke

    runtime.replace(
        "Worker.invoke",
        remembering,
        parameters=("self", "event", "request_id", "trace_id", "depth", "durable", "invoked_function_arn"),
    )

    def restoring(original: Any) -> Any:
        def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
            last.answer = {}
            result: dict[str, Any] = original(func, event, request_id)
            body = result.get("body")
            name = last.answer.get("errorType")
            if not result.get("error") or not isinstance(body, dict):
                return result
            if str(body.get("errorMessage", "")).startswith(_DEATHS) and "stackTrace" not in last.answer:
                message = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
                body.update(errorType=_GONE, errorMessage=message)
                result["log"] = f"{message}\n{_GONE}"
            elif body.get("errorType") == _LOST and name:
                body["errorType"] = name
                body["requestId"] = request_id
                body["stackTrace"] = last.answer.get("stackTrace", [])
            return result

        return execute

    functions = Seam("ministack.services.lambda_svc")
    functions.replace("_execute_function_warm", restoring, parameters=("func", "event", "request_id"))
