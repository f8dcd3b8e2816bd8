"""What a run has asked Glacier for, added up."""

from __future__ import annotations

import pytest

from solution.application.adapters.expenses import DynamoExpenses
from solution.application.in_memory.expenses import InMemoryExpenses
from solution.application.ports.expenses import Expenses
from solution.domain.archive import Tier
from solution.domain.costs import Asked
from tests.builders import RUN


@pytest.fixture(params=["in memory", "DynamoDB"])
def expenses(request: pytest.FixtureRequest) -> Expenses:
    """Both implementations."""
    if request.param == "in memory":
        return InMemoryExpenses()
    return DynamoExpenses(client=request.getfixturevalue("dynamodb"), table=request.getfixturevalue("metric_table"))


def test_a_run_that_asked_for_nothing_has_no_expenses(expenses: Expenses) -> None:
    assert expenses.read(RUN) == {}


def test_requests_add_up_by_run_and_tier(expenses: Expenses) -> None:
    for asked in (Asked(requests=100, size=5 * 1024**4), Asked(requests=1, size=0)):
        expenses.add(RUN, Tier.BULK, asked)
    expenses.add(RUN, Tier.STANDARD, Asked(requests=2, size=3))
    expenses.add("run-2", Tier.BULK, Asked(requests=7, size=7))
    assert expenses.read(RUN) == {
        Tier.BULK: Asked(requests=101, size=5 * 1024**4),
        Tier.STANDARD: Asked(requests=2, size=3),
    }
