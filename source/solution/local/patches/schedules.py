"""The time factor reaches rules and schedules, and restores of S3 objects: they come as often as the rest of time does.

MiniStack looks at rules every ten seconds, and restores an object in two whatever the tier.

Time is compressed, work is not: what takes a minute of an hour on AWS takes longer than the hour here. So a periodic
rule leaves out a turn of a target that is still at its last one. Without that, turns would pile up on a machine that is
slow for a while, and keep it slow.
"""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Callable
from typing import Any, Final

from ministack.services import eventbridge, lambda_svc, stepfunctions

from solution.local.patches.seam import Seam
from solution.local.settings import GatewaySettings

_SHORTEST_PERIOD: Final = 2.0
"""Seconds between two turns of a rule: more often would only heat the machine."""
_LONGEST_TICK: Final = 10.0
_SHORTEST_TICK: Final = 0.5
_RESTORE_HOURS: Final = 4.0
"""A restore of the Standard tier takes three to five hours (*Understanding archive retrieval options*)."""

Turn = tuple[str, str]
"""ARN of a rule, id of its target."""

_turn: contextvars.ContextVar[Turn | None] = contextvars.ContextVar("turn", default=None)
_at_work: dict[Turn, Callable[[], bool]] = {}
"""Whether a target is still at its last turn."""


def apply(settings: GatewaySettings) -> None:
    """Divide the periods of ``rate(...)`` by the time factor; ``cron(...)`` and ``at(...)`` keep the real clock."""
    factor = settings.time_factor
    tick = max(_SHORTEST_TICK, _LONGEST_TICK / factor)
    rules = Seam(eventbridge)

    def parsing(original: Any) -> Any:
        def parse(expr: str) -> float | None:
            seconds: float | None = original(expr)
            return None if seconds is None else max(min(seconds, _SHORTEST_PERIOD), seconds / factor)

        return parse

    rules.replace("_parse_rate_seconds", parsing, parameters=("expr",))
    rules.set("_SCHEDULER_TICK_INTERVAL", tick)
    if factor > 1:
        _one_turn_at_a_time(rules)
    Seam("ministack.services.scheduler").set("_SCHEDULE_TICK_INTERVAL", tick)
    Seam("ministack.services.s3").set("_RESTORE_DELAY_SECONDS", _RESTORE_HOURS * 3600 / factor)


def _one_turn_at_a_time(rules: Seam) -> None:
    Seam(stepfunctions).require("_start_execution", "_executions")
    Seam(lambda_svc).require(
        "_get_func_record_for_ref", "_execution_record_for_config", "_execute_function_with_config_scope"
    )
    rules.replace("_invoke_target", _unless_at_work, parameters=("target", "event", "rule", "view"))
    rules.replace("_dispatch_to_stepfunctions", _start_machine, parameters=("arn", "payload"))
    rules.replace("_dispatch_to_lambda", _call_function, parameters=("arn", "payload"))


def _unless_at_work(original: Any) -> Any:
    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        turn = (rule.get("Arn", ""), target.get("Id", "")) if event.get("DetailType") == "Scheduled Event" else None
        if turn is not None and _at_work.get(turn, bool)():
            return
        token = _turn.set(turn)
        try:
            original(target, event, rule, view)
        finally:
            _turn.reset(token)

    return invoke


def _start_machine(original: Any) -> Any:
    def start(arn: str, payload: str) -> None:
        turn = _turn.get()
        if turn is None:
            original(arn, payload)
            return
        status, _, body = stepfunctions._start_execution({"stateMachineArn": arn, "input": payload})
        if status == 200:
            execution = json.loads(body)["executionArn"]
            _at_work[turn] = lambda: (stepfunctions._executions.get(execution) or {}).get("status") == "RUNNING"

    return start


def _call_function(original: Any) -> Any:
    def call(arn: str, payload: str) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        turn = _turn.get()
        if turn is None or not function or not config:
            original(arn, payload)
            return
        record = lambda_svc._execution_record_for_config(function, config)
        caller = threading.Thread(
            target=lambda_svc._execute_function_with_config_scope, args=(record, json.loads(payload)), daemon=True
        )
        _at_work[turn] = caller.is_alive
        caller.start()

    return call
