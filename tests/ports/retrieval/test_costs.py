"""What an archive costs, so that it never grows unseen; ``tox -e bench -- transfer`` tells the whole story."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from solution.domain.chunk_plan import MIB
from tests.bench import servers
from tests.bench.counting import Surroundings, Workload, count
from tests.bench.transfer import aims_of_costs


@pytest.fixture
def around(endpoint: str) -> Iterator[Surroundings]:
    """MiniStack's tables and queues, and an S3 that forgets."""
    with servers.running("s3") as ends:
        yield Surroundings(aws=endpoint, s3=ends["s3"])


def test_calls_capacity_clients_and_log_lines_of_an_archive_keep_to_their_aims(around: Surroundings) -> None:
    one, some, many = (
        count(around, Workload(archives=archives, size=chunks * MIB, chunks=chunks))
        # what is read once for a batch, or for some seconds, must not hide what is done for each
        for archives, chunks in ((20, 1), (8, 16), (4, 40))
    )
    missed = [aim for aim in aims_of_costs(one, some, many) if not aim.met]
    assert missed == []
    assert one.calls["s3:PutObject"] == one.calls["glacier:GetJobOutput"] == one.calls["glacier:InitiateJob"] == 1
    assert some.calls["s3:UploadPart"] == 16
