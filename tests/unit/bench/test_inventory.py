"""What the benchmark of the inventory job makes of Spark's log."""

from __future__ import annotations

from typing import Any

from tests.bench.inventory import Measured, aims_of, stages_of


def task(stage: int, read: int, shuffled: int) -> dict[str, Any]:
    return {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": stage,
        "Task Metrics": {
            "Executor CPU Time": 500_000_000,
            "Input Metrics": {"Records Read": read, "Bytes Read": 100 * read},
            "Shuffle Read Metrics": {
                "Total Records Read": shuffled,
                "Local Bytes Read": 40 * shuffled,
                "Remote Bytes Read": 10 * shuffled,
            },
        },
    }


def measured(*events: dict[str, Any], rows: int, seconds: float = 1.0) -> Measured:
    _, stages = stages_of(iter(events))
    return Measured(
        rows=rows,
        seconds=seconds,
        seconds_with_start=9.0,
        cpu_seconds=9.0,
        peak_bytes=1024,
        inventory_bytes=100 * rows,
        stages=stages,
    )


def test_the_log_tells_when_spark_started_and_what_each_stage_read() -> None:
    began = {"Event": "SparkListenerApplicationStart", "Timestamp": 7}
    started, stages = stages_of(iter([began, task(0, 5, 0), task(0, 6, 0), task(1, 0, 9)]))
    assert started == 7
    found = [(stage.tasks, stage.records, stage.bytes, stage.cpu_seconds) for stage in stages]
    assert found == [(2, 11, 1100, 1.0), (1, 9, 450, 0.5)]


def test_a_stage_whose_only_task_read_much_of_the_inventory_misses_the_aim_for_a_large_inventory() -> None:
    split = [task(0, 500_000, 0), task(0, 500_000, 0), task(1, 0, 9)]
    assert all(aim.met for aim in aims_of(measured(*split, rows=1_000_000)))
    single = measured(*split, task(2, 0, 300_000), rows=1_000_000)
    assert [aim.what for aim in aims_of(single) if not aim.met] == ["stages of one task over all 1,000,000 rows"]
    assert single.widest == 2
    unread = measured(task(0, 0, 0), task(1, 0, 9), rows=1_000_000)
    assert len(unread.single_tasks) == 1, "one task read all files, of which Spark knows nothing"


def test_more_seconds_than_the_aim_are_told() -> None:
    slow = measured(task(0, 1, 0), task(0, 1, 0), rows=1_000_000, seconds=12.5)
    assert [aim.what for aim in aims_of(slow) if not aim.met] == ["seconds for 1,000,000 rows"]
