"""Why attempts went wrong, kept with the archive for the day it is given up: a dead letter does not say."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.application.ports.clock import Clock
    from solution.application.ports.records import TransferRecords

_log = logging.getLogger(__name__)

MAX_PROBLEM_CHARACTERS = 500


@contextmanager
def noted(
    records: TransferRecords,
    clock: Clock,
    run: str,
    archive_id: str,
    *,
    but: type[Exception] | tuple[()] = (),
) -> Iterator[None]:
    """Note with the archive what goes wrong within, ``but`` not what is to be expected, and let it pass on."""
    try:
        yield
    except but:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:MAX_PROBLEM_CHARACTERS]
        try:
            records.note_problem(run, archive_id, problem=text, now=clock.now())
        except Exception as second:  # noqa: BLE001 - the first error is the one that matters
            _log.warning("A problem could not be noted", exc_info=second)
        raise
