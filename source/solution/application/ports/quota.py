"""The ledger of what was asked for lately, shared by all runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from solution.domain.pacing import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """The ledger and its ``version``: 0 while nothing was ever written."""

    ledger: Ledger
    version: int


class QuotaLedger(Protocol):
    """One ledger for all runs of the stack."""

    def read(self) -> LedgerPage:
        """The ledger as it is. Consistent."""
        ...

    def replace(self, ledger: Ledger, *, version: int, expires: datetime) -> bool:
        """Write the ledger if it still has ``version``, which then goes up by one; False, and nothing, otherwise.

        After ``expires`` nothing in it matters any more and it may be forgotten.
        """
        ...
