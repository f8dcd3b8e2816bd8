"""How large functions are and how much each is given at once: numbers alone, for whoever must not load CDK to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Memory in MiB (CPU and network grow with it) and time limit in seconds."""

    memory: int
    timeout: int


BRIEF: Final = Size(memory=256, timeout=15)
"""One call that nobody wants to wait for."""

QUICK: Final = Size(memory=256, timeout=60)
"""A few calls, nothing large."""

STEADY: Final = Size(memory=512, timeout=300)
"""A batch of a hundred archives, paced by InitiateJobsPerSecond and Glacier's throttling."""

STREAMING: Final = Size(memory=1769, timeout=900)
"""Copies bodies, or reads them closely: 1,769 MB is one whole vCPU, which hashing needs, and 15 minutes move 4 GiB at
5 MiB/s."""

LONG: Final = Size(memory=1024, timeout=900)
"""Walks through a table or a large file, in steps that end themselves before the limit."""

ROWS_AT_ONCE: Final = 100
"""Rows of a map handed to one invocation: DynamoDB reads a hundred items at once, and a function has time for as many
jobs."""

NOTIFICATIONS_AT_ONCE: Final = 10
"""Glacier's notifications come in bursts of thousands; ten at a time keep up without a thousand functions."""

CHUNKS_AT_ONCE: Final = 1
"""One chunk fills a function's time; validations come alone as well."""

CHANGES_AT_ONCE: Final = 100
"""Changes of archives that are counted together: one write of the counters for all of them."""
