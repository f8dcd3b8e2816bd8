"""Runs the handler of one ``aws:executeScript`` step; executed by path in the clean interpreter, never imported.

Standard input holds a JSON object with ``script``, ``handler``, ``payload``, ``context`` and ``result``, the path of
the file that the outcome is written to. What the script prints stays on standard output.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any


def run(task: dict[str, Any]) -> dict[str, Any]:
    """The handler's return value, or its exception."""
    names: dict[str, Any] = {"__name__": "automation_script"}
    try:
        exec(compile(task["script"], "<script>", "exec"), names)  # noqa: S102 - running the runbook is the purpose
        payload = names[task["handler"]](task["payload"], task["context"])
        return {"payload": json.loads(json.dumps(payload))}
    except Exception as error:  # noqa: BLE001 - whatever the script raises is reported as its failure
        trace = "".join(traceback.format_exception(error)[2:])
        return {"type": type(error).__name__, "message": str(error), "trace": trace}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    Path(given["result"]).write_text(json.dumps(run(given)), encoding="utf-8")
