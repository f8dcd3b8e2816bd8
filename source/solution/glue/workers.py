"""Spark's Python processes, which run one task after the other."""

from __future__ import annotations

from zipimport import zipimporter


def keep_archives_open() -> None:
    """Let tasks to come in this process begin at once.

    Before each task Spark forgets what it knows of packages, so that new ones are found. Python then reads the tables
    of contents of all archives on its path again, Spark's jar of five thousand files among them: as much work as ten
    thousand rows. No archive changes while the job runs.
    """
    zipimporter.invalidate_caches = _nothing  # type: ignore[assignment, method-assign]


def _nothing(_: zipimporter) -> None:
    pass
