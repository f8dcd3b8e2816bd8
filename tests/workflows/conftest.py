"""One local AWS with the deployed solution for all stories of this folder; each story has its own runs and answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from solution.cli.target import target_of
from solution.local import Instance, up
from tests import shared
from tests.local.deployed import Solution
from tests.local.support import free_port, unique
from tests.workflows.stubs import Stubs, exchange
from tests.workflows.world import World


@pytest.fixture(scope="session")
def prepared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The solution at the speed of AWS, so that no rule ticks while a story is told."""
    state_dir = tmp_path_factory.mktemp("workflows")
    deployment = up(port=free_port(), state_dir=state_dir, assembly=shared.assembly())
    try:
        solution = Solution(
            target=target_of(deployment.environment), environment=deployment.environment, state_dir=state_dir
        )
        with exchange() as server:
            world = World(solution, server)
            world.prepare()
            yield world
    finally:
        Instance(state_dir).stop()


@pytest.fixture
def world(prepared_world: World) -> Iterator[World]:
    """The solution, and functions that give plain answers."""
    prepared_world.begin()
    yield prepared_world
    prepared_world.end()


@pytest.fixture
def stubs(world: World) -> Stubs:
    """What the functions answer."""
    return world.stubs


@pytest.fixture
def run() -> str:
    """Id of a run of this story alone."""
    return unique("run")
