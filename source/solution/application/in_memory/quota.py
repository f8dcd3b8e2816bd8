"""The quota's ledger in a variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solution.application.ports.quota import LedgerPage
from solution.domain.pacing import Ledger

if TYPE_CHECKING:
    from datetime import datetime


class InMemoryQuotaLedger:
    """`solution.application.ports.quota.QuotaLedger`; ``conflicts`` makes that many writes come too late."""

    def __init__(self) -> None:
        self.page = LedgerPage(ledger=Ledger(), version=0)
        self.conflicts = 0

    def read(self) -> LedgerPage:
        return self.page

    def replace(self, ledger: Ledger, *, version: int, expires: datetime) -> bool:  # noqa: ARG002 - never forgets
        if self.conflicts:
            self.conflicts -= 1
            return False
        if version != self.page.version:
            return False
        self.page = LedgerPage(ledger=ledger, version=version + 1)
        return True
