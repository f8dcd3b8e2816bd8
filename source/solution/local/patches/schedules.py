"""The time factor reaches rules and schedules, and restores of S3 objects: they come as often as the rest of time does.

MiniStack looks at rules every ten seconds, and restores an object in two whatever the tier.
"""

from __future__ import annotations

from typing import Any, Final

from solution.local.patches.seam import Seam
from solution.local.settings import GatewaySettings

_SHORTEST_PERIOD: Final = 2.0
"""Seconds between two turns of a rule: more often would only heat the machine."""
_LONGEST_TICK: Final = 10.0
_SHORTEST_TICK: Final = 0.5
_RESTORE_HOURS: Final = 4.0
"""A restore of the Standard tier takes three to five hours (*Understanding archive retrieval options*)."""


def apply(settings: GatewaySettings) -> None:
    """Divide the periods of ``rate(...)`` by the time factor; ``cron(...)`` and ``at(...)`` keep the real clock."""
    factor = settings.time_factor
    tick = max(_SHORTEST_TICK, _LONGEST_TICK / factor)
    rules = Seam("ministack.services.eventbridge")

    def parsing(original: Any) -> Any:
        def parse(expr: str) -> float | None:
            seconds: float | None = original(expr)
            return None if seconds is None else max(min(seconds, _SHORTEST_PERIOD), seconds / factor)

        return parse

    rules.replace("_parse_rate_seconds", parsing, parameters=("expr",))
    rules.set("_SCHEDULER_TICK_INTERVAL", tick)
    Seam("ministack.services.scheduler").set("_SCHEDULE_TICK_INTERVAL", tick)
    Seam("ministack.services.s3").set("_RESTORE_DELAY_SECONDS", _RESTORE_HOURS * 3600 / factor)
