"""A fresh Glacier for each test, with a vault ``v``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from solution.mocking.glacier import GlacierService, GlacierSettings, ManualClock, RecordingNotifier
from tests.unit.mocking.caller import Glacier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def glacier(tmp_path: Path) -> Iterator[Glacier]:
    clock, notifier = ManualClock(), RecordingNotifier()
    service = GlacierService(tmp_path, settings=GlacierSettings(seed=1), clock=clock, notifier=notifier)
    service.create_vault("v")
    yield Glacier(service=service, clock=clock, notifier=notifier)
    service.close()
