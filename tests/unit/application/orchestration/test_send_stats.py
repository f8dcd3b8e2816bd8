"""Anonymized statistics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.in_memory.notices import InMemoryStats
from solution.application.ports.counters import Tally
from solution.application.use_cases.send_stats import SendStats
from solution.domain.status import Metric


def _sender(stats: InMemoryStats, **changes: Any) -> SendStats:
    counters = InMemoryCounters()
    counters.add("run-1", Tally(archives={Metric.TOTAL: 3}, size={Metric.TOTAL: 30}))
    values: dict[str, Any] = {
        "enabled": True,
        "endpoint": "https://stats.example",
        "version": "1.2.3",
        "region": "eu-west-1",
        "counters": counters,
        "stats": stats,
        "clock": ManualClock(),
        "random_id": lambda: "an-id",
    }
    return SendStats(**(values | changes))


def _send(sender: SendStats, run: str = "run-1", started_at: str = "2025-03-01T11:59:00Z") -> bool:
    return sender(run=run, tier="Bulk", storage_class="GLACIER", started_at=started_at)


def test_what_is_sent_is_what_is_documented_and_names_nobody() -> None:
    stats = InMemoryStats()
    assert _send(_sender(stats))
    assert stats.sent == [
        (
            "https://stats.example",
            {
                "id": "an-id",
                "version": "1.2.3",
                "region": "eu-west-1",
                "archives": 3,
                "bytes": 30,
                "tier": "Bulk",
                "storage_class": "GLACIER",
                "duration_seconds": 60,
            },
        )
    ]


def test_every_field_is_documented_and_no_other() -> None:
    stats = InMemoryStats()
    _send(_sender(stats))
    guide = (Path(__file__).parents[4] / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    section = guide.split("## Anonymized statistics")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(stats.sent[0][1])


@pytest.mark.parametrize("off", [{"enabled": False}, {"endpoint": ""}])
def test_nothing_is_sent_unless_it_is_turned_on_and_an_endpoint_named(off: dict[str, Any]) -> None:
    stats = InMemoryStats()
    assert not _send(_sender(stats, **off))
    assert stats.sent == []


def test_a_run_that_was_never_counted_sends_zeros() -> None:
    stats = InMemoryStats()
    assert _send(_sender(stats), run="run-2")
    assert stats.sent[0][1]["archives"] == 0


@pytest.mark.parametrize("started_at", ["2025-03-01T11:59:00Z", "yesterday"])
def test_a_failure_never_hurts_the_run(started_at: str) -> None:
    assert not _send(_sender(InMemoryStats(failing=True)), started_at=started_at)
