"""Why an execution failed, in the words of whoever failed first.

Step Functions hands a failure on inside another: the cause of a state is JSON of the function's answer, of the
execution that was waited for, or of the Glue job's run ("Handling errors in Step Functions workflows").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

RUN_STOPPED: Final = "RunStopped"
"""Error under which a run ends that somebody has stopped; every other one is a failure."""

LONGEST_CAUSE: Final = 4000
"""Characters of a cause that are kept: enough for any sentence of ours, too few to fill a mail with a trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """``machine`` is the name of the state machine in which it happened, empty where that is not known."""

    error: str
    cause: str
    machine: str = ""

    @staticmethod
    def parse(source: Mapping[str, Any] | None) -> Failure | None:
        """From a Catch's result; None when nothing failed."""
        if not source:
            return None
        found = Failure.innermost(str(source.get("Error") or "Unknown"), str(source.get("Cause") or ""))
        return found if found.machine else replace(found, machine=str(source.get("Machine") or ""))

    def dump(self) -> dict[str, str]:
        """For `parse`, as a Catch's result would say it."""
        return {"Error": self.error, "Cause": self.cause, "Machine": self.machine}

    @property
    def stopped(self) -> bool:
        """Whether somebody wished it so."""
        return self.error == RUN_STOPPED

    @staticmethod
    def innermost(error: str, cause: str) -> Failure:
        """Unwrap what an execution says of its failure."""
        found = Failure(error=error, cause=cause)
        while (inner := _unwrapped(found)) is not None:
            found = inner
        return found if len(found.cause) <= LONGEST_CAUSE else replace(found, cause=found.cause[:LONGEST_CAUSE] + "…")

    @property
    def text(self) -> str:
        """One sentence; the reason alone for what somebody has stopped."""
        if self.stopped:
            return self.cause or "no reason was given"
        return ": ".join(part for part in (self.machine, self.error, self.cause) if part)


def _unwrapped(outer: Failure) -> Failure | None:
    try:
        inner = json.loads(outer.cause)
    except ValueError:
        return None
    match inner:
        case {"errorMessage": message}:
            return replace(outer, error=str(inner.get("errorType") or outer.error), cause=str(message))
        case {"JobRunState": state, "JobName": job}:
            said = inner.get("ErrorMessage") or f"it ended as {state}"
            return replace(outer, error="GlueJobFailed", cause=f"{said} (run {inner.get('Id')} of Glue job {job})")
        case {"StateMachineArn": str(machine)}:
            return replace(
                outer,
                error=str(inner.get("Error") or outer.error),
                cause=str(inner.get("Cause") or f"the execution ended as {inner.get('Status')}"),
                machine=machine.rpartition(":")[2],
            )
    return None
