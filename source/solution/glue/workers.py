"""Spark's Python processes, which run one task after the other."""

from __future__ import annotations

import gc
from zipimport import zipimporter


def prepare() -> None:
    """Let this task, and those to come in this process, spend their time on rows.

    Before each task Spark forgets what it knows of packages, so that new ones are found. Python then reads the tables
    of contents of all archives on its path again, Spark's jar of five thousand files among them: as much work as ten
    thousand rows. No archive changes while the job runs. And rows refer to nothing, so looking for cycles among
    hundreds of thousands of them finds none: what a task made goes when it ends.
    """
    gc.disable()
    zipimporter.invalidate_caches = _nothing  # type: ignore[assignment, method-assign]


def _nothing(_: zipimporter) -> None:
    pass
