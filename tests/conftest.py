"""What the processes of a test session share."""

from __future__ import annotations

import pytest

from tests import shared

_made_here = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Before the first test, and before workers start."""
    config.stash[_made_here] = shared.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """After the last test."""
    if config.stash[_made_here]:
        shared.end()
