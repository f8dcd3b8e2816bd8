"""What MiniStack lacks, one module each: Glacier, Systems Manager documents and automations, Glue jobs on real Spark.

Each registers itself in MiniStack's tables before serving. Nothing here changes how MiniStack's own services behave;
that is done in ``patches``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from solution.local.services import glacier, glue_spark, ssm_documents
from solution.local.settings import GatewaySettings


class Service(Protocol):
    """A service of ours that runs inside the gateway."""

    def close(self) -> None:
        """Save what must survive and free what it holds."""


def register(settings: GatewaySettings) -> Sequence[Service]:
    """Add our services to MiniStack."""
    return [glacier.register(settings), ssm_documents.register(settings), glue_spark.register(settings)]
