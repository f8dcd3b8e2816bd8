"""Anonymized statistics: off unless the deployer turned them on and named an endpoint.

What is sent, and nothing else:

=================  ====================================================================
field              meaning
=================  ====================================================================
id                 a random UUID, new for each message, kept nowhere
version            version of this solution
region             AWS Region
archives           number of archives in the inventory
bytes              their bytes
tier               retrieval tier
storage_class      S3 storage class
duration_seconds   from the beginning of the inventory's retrieval to the sorted inventory
=================  ====================================================================
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solution.application.ports.counters import Tally
from solution.domain.archive import parse_time
from solution.domain.status import Metric

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.counters import Counters
    from solution.application.ports.notices import StatsEndpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendStats:
    """Sends the statistics of one run. Whatever goes wrong, the run goes on."""

    enabled: bool
    endpoint: str
    version: str
    region: str
    counters: Counters
    stats: StatsEndpoint
    clock: Clock
    random_id: Callable[[], str]

    def __call__(self, *, run: str, tier: str, storage_class: str, started_at: str) -> bool:
        """Returns whether statistics were sent."""
        if not self.enabled or not self.endpoint:
            return False
        try:
            tally = self.counters.read(run) or Tally()
            self.stats.send(
                self.endpoint,
                {
                    "id": self.random_id(),
                    "version": self.version,
                    "region": self.region,
                    "archives": tally.archives.get(Metric.TOTAL, 0),
                    "bytes": tally.size.get(Metric.TOTAL, 0),
                    "tier": tier,
                    "storage_class": storage_class,
                    "duration_seconds": round((self.clock.now() - parse_time(started_at)).total_seconds()),
                },
            )
        except Exception as error:  # noqa: BLE001 - statistics are never worth a run
            logger.warning("statistics could not be sent", extra={"reason": str(error)})
            return False
        return True
