"""The stack's durations follow the time factor of the local AWS."""

from __future__ import annotations

from typing import Any

from solution.local.up import _scaled

DECLARED: dict[str, dict[str, Any]] = {
    "DownloadWindowSeconds": {"Default": "86400", "MinValue": 1},
    "QuotaPeriodSeconds": {"Default": "86400", "MinValue": 60},
    "StallSeconds": {"Default": "259200", "MinValue": 1},
    "CompletionCheckPeriodMinutes": {"Default": "5"},
    "WindowExtensionPeriodMinutes": {"Default": "60"},
    "ChunkSizeMiB": {"Default": "512"},
}


def test_real_time_leaves_every_default_alone() -> None:
    assert _scaled(DECLARED, 1) == {}


def test_durations_shrink_by_the_factor_but_not_below_what_the_template_allows() -> None:
    found = _scaled(DECLARED, 2400)
    assert found["DownloadWindowSeconds"] == "36"
    assert found["QuotaPeriodSeconds"] == "60"
    assert "ChunkSizeMiB" not in found


def test_rules_never_tick_faster_than_every_four_seconds() -> None:
    found = _scaled(DECLARED, 1200)
    # 80 minutes pass in four seconds; the factor itself makes the rules tick faster
    assert found["CompletionCheckPeriodMinutes"] == "80"
    assert found["WindowExtensionPeriodMinutes"] == "80"
    assert _scaled(DECLARED, 60)["WindowExtensionPeriodMinutes"] == "60"


def test_a_run_is_not_given_up_faster_because_glacier_is_faster() -> None:
    assert _scaled(DECLARED, 2400)["StallSeconds"] == "900"
    assert _scaled(DECLARED, 60)["StallSeconds"] == "4320"
