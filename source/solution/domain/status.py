"""The states of an archive within a run, and the moves between them, in one table.

::

    (new) ─► requesting ─► requested ─► staged ─► downloaded
                 │   └──────────┬─────────┘ │
                 ▼              ▼           ▼
              failed / stopped  ──────► requesting   (a resume)

``requesting`` is written before the Glacier job is asked for, so that no job can exist without its record. A
notification may arrive before our own ``requested``: hence ``requesting`` to ``staged``. ``staged`` goes back to
``requested`` when its window closed before the copy was finished and the archive is asked for again; ``requested``
stays ``requested``, with another job, when Glacier no longer knows the first one.
"""

from __future__ import annotations

from enum import StrEnum


class ArchiveStatus(StrEnum):
    """Where an archive stands in its run."""

    REQUESTING = "requesting"
    REQUESTED = "requested"
    STAGED = "staged"
    DOWNLOADED = "downloaded"
    FAILED = "failed"
    STOPPED = "stopped"


_S = ArchiveStatus

ALLOWED_FROM: dict[ArchiveStatus, frozenset[ArchiveStatus | None]] = {
    _S.REQUESTING: frozenset({None, _S.STOPPED, _S.FAILED}),
    _S.REQUESTED: frozenset({_S.REQUESTING, _S.REQUESTED, _S.STAGED}),
    _S.STAGED: frozenset({_S.REQUESTING, _S.REQUESTED}),
    _S.DOWNLOADED: frozenset({_S.STAGED}),
    _S.FAILED: frozenset({_S.REQUESTING, _S.REQUESTED, _S.STAGED}),
    _S.STOPPED: frozenset({_S.REQUESTING, _S.REQUESTED, _S.STAGED, _S.FAILED}),
}
"""For each state, the states it may be entered from; ``None`` is "no record yet". ``downloaded`` is final."""

UNFINISHED = frozenset({_S.REQUESTING, _S.REQUESTED, _S.STAGED})
"""States in which something must still happen before the run may end."""


class Metric(StrEnum):
    """What is counted for each run, as a number of archives and as bytes."""

    TOTAL = "total"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    REQUESTED = "requested"
    STAGED = "staged"
    DOWNLOADED = "downloaded"
    FAILED = "failed"


_MILESTONES: dict[ArchiveStatus, frozenset[Metric]] = {
    _S.REQUESTING: frozenset(),
    _S.REQUESTED: frozenset({Metric.REQUESTED}),
    _S.STAGED: frozenset({Metric.REQUESTED, Metric.STAGED}),
    _S.DOWNLOADED: frozenset({Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED}),
    _S.FAILED: frozenset({Metric.FAILED}),
    _S.STOPPED: frozenset(),
}


def milestones(status: ArchiveStatus | None) -> frozenset[Metric]:
    """The counters in which an archive of this status is included.

    Counters are thus a function of the archives' present states: ``requested`` ≥ ``staged`` ≥ ``downloaded``, and the
    difference between two states is all that a change adds or takes away.
    """
    return frozenset() if status is None else _MILESTONES[status]
