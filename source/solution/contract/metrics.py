"""Names under which a run's counters are published to CloudWatch."""

from __future__ import annotations

from typing import Final

from solution.domain.status import Metric

NAMESPACE: Final = "GlacierTransfer"
RUN_DIMENSION: Final = "WorkflowRun"


def archives_metric(metric: Metric) -> str:
    """Metric that counts archives, such as ``DownloadedArchives``."""
    return f"{metric.capitalize()}Archives"


def bytes_metric(metric: Metric) -> str:
    """Metric that counts bytes, such as ``DownloadedBytes``."""
    return f"{metric.capitalize()}Bytes"
