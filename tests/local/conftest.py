"""One local AWS for all stories of a process, on a free port and in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from solution.local import Instance
from tests.local.deployed import Solution, deployed_solution
from tests.local.support import LocalAws, free_port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole transfers first, which take minutes: at the end, a process would be busy alone with the last of them."""
    items.sort(key=lambda item: item.path.name.startswith("test_local_"))


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """The local AWS, at 3600 seconds per second."""
    state_dir = tmp_path_factory.mktemp("local-aws")
    instance = Instance(state_dir)
    port = free_port()
    status = instance.start(port=port, time_factor=3600)
    assert status.endpoint is not None
    yield LocalAws(instance=instance, endpoint=status.endpoint, port=port, state_dir=state_dir)
    instance.stop()


@pytest.fixture(scope="session")
def solution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Solution]:
    """The solution for runs of a few archives, at an hour a second, on a local AWS of its own."""
    with deployed_solution(tmp_path_factory.mktemp("solution"), free_port(), factor=3600) as found:
        yield found
