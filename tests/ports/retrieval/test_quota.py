"""The quota's ledger: whoever writes has read what is there, or does not write."""

from __future__ import annotations

from datetime import timedelta

import pytest

from solution.application.adapters.quota import DynamoQuotaLedger
from solution.application.in_memory.clock import START
from solution.application.in_memory.quota import InMemoryQuotaLedger
from solution.application.ports.quota import LedgerPage, QuotaLedger
from solution.domain.pacing import Ledger, Waiter

LATER = START + timedelta(days=2)
ENTRIES = Ledger(
    entries={1_740_830_700: 5 * 1024**4, 1_740_831_000: 1},
    free_at=1_740_830_401_234,
    waiting=(Waiter(owner="run-2", size=6 * 1024**4, until=1_740_831_300), Waiter(owner="run-1|rule", size=1, until=5)),
)


@pytest.fixture(params=["in memory", "DynamoDB"])
def ledger(request: pytest.FixtureRequest) -> QuotaLedger:
    """Both implementations."""
    if request.param == "in memory":
        return InMemoryQuotaLedger()
    return DynamoQuotaLedger(request.getfixturevalue("dynamodb"), request.getfixturevalue("metric_table"))


def test_a_ledger_that_was_never_written_is_empty(ledger: QuotaLedger) -> None:
    assert ledger.read() == LedgerPage(ledger=Ledger(), version=0)


def test_a_ledger_comes_back_as_it_was_written(ledger: QuotaLedger) -> None:
    assert ledger.replace(ENTRIES, version=0, expires=LATER)
    assert ledger.read() == LedgerPage(ledger=ENTRIES, version=1)
    assert ledger.replace(Ledger(), version=1, expires=LATER)
    assert ledger.read() == LedgerPage(ledger=Ledger(), version=2)


def test_who_read_an_older_version_writes_nothing(ledger: QuotaLedger) -> None:
    assert ledger.replace(ENTRIES, version=0, expires=LATER)
    assert not ledger.replace(Ledger(), version=0, expires=LATER)
    assert ledger.read() == LedgerPage(ledger=ENTRIES, version=1)
