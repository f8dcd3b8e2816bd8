"""What every operation needs at hand: the store, the clock, the settings and whoever must be told."""

from __future__ import annotations

import base64
import random
import threading
from dataclasses import dataclass, field

from solution.mocking.glacier.clock import Clock
from solution.mocking.glacier.errors import NotFoundError
from solution.mocking.glacier.faults import Faults
from solution.mocking.glacier.settings import GlacierSettings, Staging
from solution.mocking.glacier.statistics import Statistics
from solution.mocking.glacier.store import Store, Vault


@dataclass(slots=True, kw_only=True)
class Context:
    """Shared by all operations of one service."""

    store: Store
    clock: Clock
    settings: GlacierSettings
    faults: Faults
    statistics: Statistics
    _random: random.Random = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        seed = self.settings.seed
        self._random = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  # no secrets

    def vault(self, name: str) -> Vault:
        """The vault of this name.

        Raises:
            NotFoundError: there is none.
        """
        vault = self.store.vault(name)
        if vault is None:
            message = f"Vault not found for ARN: {self.settings.vault_arn(name)}"
            raise NotFoundError(message)
        return vault

    def new_id(self, octets: int) -> str:
        """A random id in base64url.

        The first bit is 0, so that no id begins with "-": command lines would take it for an option.
        """
        with self._lock:
            raw = self._random.randbytes(octets)
        return base64.urlsafe_b64encode(bytes([raw[0] & 0x7F]) + raw[1:]).decode().rstrip("=")

    def staging_time(self, staging: Staging) -> float:
        """How long one job takes, in seconds of this service's clock."""
        with self._lock:
            return self.settings.scaled(self._random.uniform(staging.least, staging.most))
