"""Archives of awkward sizes, from one byte to ten thousand chunks, copied over the in-memory ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from solution.application.in_memory.glacier import InMemoryGlacier
from solution.application.ports.glacier import JobOutput
from solution.domain.chunk_plan import MAX_PARTS, MIB, ChunkPlan
from solution.domain.status import ArchiveStatus
from solution.domain.tree_hash import combine, tree_hash
from tests import builders
from tests.unit.application.world import World


@pytest.mark.parametrize("size", [1, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 5 * MIB])
def test_an_archive_of_any_size_around_that_of_a_chunk_is_copied_whole(size: int) -> None:
    world = World({"one": builders.content(size, 3)}, chunk_size=MIB)
    world.ask()
    world.drain()
    assert world.status("one") is ArchiveStatus.DOWNLOADED
    assert world.record("one").chunk_count == -(-size // MIB)
    world.assert_what_must_always_hold()


class TinyLeaves(InMemoryGlacier):
    """A vault whose trees have leaves of one chunk, so that an archive of very many chunks is small."""

    @contextmanager
    def open_output(
        self, *, vault: str, job_id: str, first: int | None = None, last: int | None = None
    ) -> Iterator[JobOutput]:
        with super().open_output(vault=vault, job_id=job_id, first=first, last=last) as output:
            content = self.archives[self.jobs[job_id].archive_id][first : None if last is None else last + 1]
            yield replace(output, tree_hash=tree_hash(content))


def test_ten_thousand_chunks_become_one_archive_at_four_calls_each() -> None:
    chunk_size = 16
    data = builders.content(MAX_PARTS * chunk_size - 5, 4)
    plan = ChunkPlan(size=len(data), chunk_size=chunk_size)
    assert plan.count == MAX_PARTS
    world = World({"large": data}, chunk_size=chunk_size)
    whole = combine(tree_hash(data[chunk.first : chunk.last + 1]) for chunk in plan)
    world.archives["large"] = replace(world.archives["large"], tree_hash=whole)
    world.glacier = TinyLeaves(world.clock, world.glacier.archives)
    world._assemble()
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    assert len(world.chunks.fill()) == MAX_PARTS
    before = world.fuse.calls
    while world.chunks.messages:
        world.deliver(world.chunks)
    assert world.fuse.calls - before == 4 * MAX_PARTS + 1  # and the message that asks for validation
    world.drain()
    assert world.status("large") is ArchiveStatus.DOWNLOADED
    world.assert_what_must_always_hold()
