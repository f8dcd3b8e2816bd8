"""Structured logs of the functions.

Messages are constant sentences, what varies goes into fields (``extra={...}``), so that a query finds all lines of one
kind. Run, vault and archive ids are bound once with `bound` and appear on every line logged below it. Metrics are never
parsed from logs: they are counted in MetricTable.

Use cases log through the standard library (``logging.getLogger(__name__)``); their loggers are children of the one
configured here.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = Logger(service="solution", log_uncaught_exceptions=False)
"""Parent of all loggers in this package; its level is the environment's POWERTOOLS_LOG_LEVEL, INFO by default."""


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Append ``fields`` to every line logged within."""
    with logger.append_context_keys(**fields):
        yield
