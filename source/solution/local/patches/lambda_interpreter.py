"""Functions run in a clean interpreter that has boto3 alone, in a clean environment, and not too many at a time.

MiniStack runs them on its own interpreter and site-packages, hands them its own settings, and starts as many processes
as there are calls.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from typing import Any, Final

from solution.local.interpreter import function_python
from solution.local.patches.seam import Seam
from solution.local.settings import GatewaySettings, emulator_environment

_CALLS_PER_CORE: Final = 4
"""A worker costs 40-50 MB and, at its start, a third of a second of a core."""
_LONGEST_WAIT: Final = 20.0
"""Seconds a call waits for its turn; then it runs anyway, since a function may be waiting for another one."""


def apply(settings: GatewaySettings) -> None:
    """Replace the interpreter, filter the environment, and queue calls beyond what the machine carries."""
    python = str(function_python())
    private = frozenset(emulator_environment(settings))
    runtime = Seam("ministack.core.lambda_runtime")

    def detecting(original: Any) -> Any:
        def detect(runtime: str) -> tuple[str, str]:
            binary, script = original(runtime)
            return (python if runtime.startswith("python") else binary), script

        return detect

    runtime.replace("_detect_runtime_binary", detecting, parameters=("runtime",))
    runtime.set("subprocess", _Subprocess(private))
    turns = threading.BoundedSemaphore(_CALLS_PER_CORE * (os.cpu_count() or 1))

    def queueing(original: Any) -> Any:
        def execute(func: dict[str, Any], event: Any, request_id: str) -> Any:
            mine = turns.acquire(timeout=_LONGEST_WAIT)
            try:
                return original(func, event, request_id)
            finally:
                if mine:
                    turns.release()

        return execute

    functions = Seam("ministack.services.lambda_svc")
    functions.replace("_execute_function_warm", queueing, parameters=("func", "event", "request_id"))


class _Subprocess:
    """The module ``subprocess`` as MiniStack's runtime sees it: processes get no setting of the emulator."""

    def __init__(self, private: frozenset[str]) -> None:
        self._private = private

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: list[str], *, env: Mapping[str, str], **options: Any) -> Any:  # noqa: N802
        clean = {name: value for name, value in env.items() if name not in self._private}
        return subprocess.Popen(command, env=clean, **options)  # noqa: S603 - MiniStack's own call
