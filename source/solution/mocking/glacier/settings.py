"""How one mock behaves: identity, times, limits. Frozen, chosen once when the service is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

HOUR: Final = 3600.0


class Tier(StrEnum):
    """Retrieval tiers (*Archive Retrieval Options*)."""

    BULK = "Bulk"
    STANDARD = "Standard"
    EXPEDITED = "Expedited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """How long a job takes, in seconds before the time factor: evenly spread from ``least`` to ``most``."""

    least: float
    most: float

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            message = f"staging takes {self.least} to {self.most} seconds: need 0 <= least <= most"
            raise ValueError(message)


def _staging() -> dict[Tier, Staging]:
    return {
        Tier.BULK: Staging(least=5 * HOUR, most=12 * HOUR),
        Tier.STANDARD: Staging(least=3 * HOUR, most=5 * HOUR),
        Tier.EXPEDITED: Staging(least=60, most=300),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class GlacierSettings:
    """Settings of the service. Durations are Glacier's own, in seconds; each is divided by ``time_factor``.

    Attributes:
        account_id: in ARNs and locations.
        region: in ARNs.
        time_factor: 1.0 keeps Glacier's times; 3600 makes an hour a second.
        staging: time from InitiateJob to completion of an archive retrieval, by tier.
        inventory_staging: the same for inventories.
        window: for how long the output of a completed job stays.
        inventory_lag: age an archive must have to be in an inventory and in a vault's counts.
        late_by: delay of a notification that a fault makes late, unless the fault says otherwise.
        expedited_capacity: False answers Expedited retrievals with InsufficientCapacityException.
        max_vaults: the account's limit; more answers LimitExceededException.
        seed: makes ids, staging times and probabilities repeatable; None draws them at random.
        network_disk: the data directory lies on a network file system (EFS).
        notification_threads: how many notifications are published at a time.
    """

    account_id: str = "000000000000"
    region: str = "us-east-1"
    time_factor: float = 1.0
    staging: dict[Tier, Staging] = field(default_factory=_staging)
    inventory_staging: Staging = field(default_factory=lambda: Staging(least=3 * HOUR, most=5 * HOUR))
    window: float = 24 * HOUR
    inventory_lag: float = 0.0
    late_by: float = HOUR
    expedited_capacity: bool = True
    max_vaults: int = 1000
    seed: int | None = None
    network_disk: bool = False
    notification_threads: int = 8

    def __post_init__(self) -> None:
        if self.time_factor <= 0:
            message = f"time_factor {self.time_factor} must be above 0: 1 is real time, 3600 makes hours seconds"
            raise ValueError(message)

    def scaled(self, seconds: float) -> float:
        """A duration of Glacier's in seconds of this service's clock."""
        return seconds / self.time_factor

    def vault_arn(self, vault_name: str) -> str:
        """ARN of a vault of this account and region."""
        return f"arn:aws:glacier:{self.region}:{self.account_id}:vaults/{vault_name}"
