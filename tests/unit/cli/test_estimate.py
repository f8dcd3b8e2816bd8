"""Estimates: prices times what is counted, judged by hand for small cases."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from solution.cli.estimate import parse_size, shortest
from solution.cli.failures import ExitCode
from solution.cli.inventory_sizes import read_sizes
from solution.cli.main import app
from solution.cli.target import Target
from solution.contract.object_keys import INVENTORY_COLUMNS
from solution.domain.archive import StorageClass, Tier
from solution.domain.costs import GIB, equal_sizes, prices, workload
from solution.domain.errors import InvalidInput, NotPossible
from tests.unit.cli.conftest import Deployment

HEADER = ",".join(INVENTORY_COLUMNS)
MIB, TIB = 1024**2, 1024**4


def estimated(*arguments: str) -> dict[str, object]:
    """The command's JSON."""
    answer = CliRunner().invoke(app, ["estimate", *arguments, "--json"], catch_exceptions=False)
    assert answer.exit_code == ExitCode.OK
    document: dict[str, object] = json.loads(answer.stdout)
    return document


def row(number: int, size: int, date: str = "2012-05-15T17:21:39.339Z", description: str = "") -> str:
    return f'{number:0138d},"{description}",{date},{size},{"0" * 64}'


def test_a_million_archives_of_a_mebibyte_cost_what_the_price_pages_say() -> None:
    found = estimated("--archives", "1000000", "--bytes", str(10**6 * MIB))
    assert found["cost"] == {
        # 10^6 / 1024 GiB at $0.0025
        "Glacier, Bulk retrieval of bytes": 2.4414,
        # a thousand times $0.025 and $0.05
        "Glacier, Bulk requests": 25.0,
        "S3, objects stored as DEEP_ARCHIVE": 50.0,
        "S3, parts of large objects": 0.0,
        # 1.2 million calls at $0.20; 0.3 s + 1/60 s each of 1769/1024 GB at $0.0000133334
        "Lambda": round(0.24 + 1e6 * (0.3 + 1 / 60) * 1769 / 1024 * 0.0000133334, 4),
        # 4.3 million writes at $0.625, 1.1 million reads at $0.125
        "DynamoDB": 2.825,
        # 3.3 million messages at $0.40, a million notifications at $0.50, 20,000 transitions, 500 MB of logs at $0.50
        "SQS, SNS, Step Functions, logs": round(1.32 + 0.5 + 0.5 + 5e8 / GIB * 0.5, 4),
    }
    # 10^6 MiB and 32 KiB each at $0.00099, 8 KiB each at $0.023
    assert found["storage_per_month"] == round((1e6 / 1024 + 1e6 * 32 / MIB) * 0.00099 + 1e6 * 8 / MIB * 0.023, 4)
    assert found["vault_storage_per_month"] == round((1e6 / 1024 + 1e6 * 32 / MIB) * 0.0036, 4)
    # below the budget: a hundred a second, and twelve hours of staging
    assert (found["seconds_to_last_request"], found["seconds"]) == (10_000, 10_000 + 12 * 3600)
    assert found["simulation"] is None


def test_an_archive_of_several_chunks_pays_for_its_parts_at_the_price_of_s3_standard() -> None:
    found = estimated("--archives", "1", "--bytes", "1GiB", "--storage-class", "GLACIER_IR", "--tier", "Standard")
    cost = found["cost"]
    assert isinstance(cost, dict)
    # four chunks of 256 MiB, and the beginning of the upload
    assert cost["S3, parts of large objects"] == round(5 * 0.005 / 1000, 4)
    assert cost["Glacier, Standard retrieval of bytes"] == 0.01
    assert found["storage_per_month"] == 0.004
    assert found["seconds"] == round(0.01 + 5 * 3600)


def test_small_objects_are_billed_as_128_kib_where_the_class_says_so() -> None:
    found = estimated("--archives", "8192", "--bytes", "8192", "--storage-class", "STANDARD_IA")
    assert found["storage_per_month"] == 0.0125  # 8,192 times 128 KiB are a GiB


def test_ten_and_a_quarter_budgets_take_ten_days_and_the_rest_at_the_rate() -> None:
    load = workload(equal_sizes(1_024_000, 1024 * TIB))
    found = shortest(load, budget=100 * TIB, rate=100, tier=Tier.BULK)
    assert found.quota_periods == pytest.approx(10.24)
    assert found.requests == pytest.approx(10 * 86_400 + 240)
    assert found.total == found.requests + 12 * 3600


def test_an_empty_vault_costs_nothing_and_takes_no_time() -> None:
    found = estimated("--archives", "0", "--bytes", "0", "--simulate")
    assert (found["cost_total"], found["storage_per_month"], found["seconds"]) == (0, 0, 0)


def test_a_simulation_tells_what_the_pacing_makes_of_it() -> None:
    found = estimated("--archives", "300", "--bytes", "300GiB", "--budget-gib", "100", "--simulate")
    simulation = found["simulation"]
    assert isinstance(simulation, dict)
    assert (simulation["archives"], simulation["size"]) == (300, 300 * GIB)
    assert simulation["most_in_a_period"] <= 100 * GIB
    assert simulation["makespan"] > simulation["bound"]


def test_an_inventory_is_counted_archive_by_archive(tmp_path: Path) -> None:
    path = tmp_path / "inventory.csv"
    awkward = r"a \"quoted\" one, with commas" + "\nand a second line"
    path.write_text("\n".join([HEADER, row(1, 5), row(2, 7, description=awkward), row(3, 6 * TIB)]) + "\n")
    found = estimated("--inventory", str(path))
    assert (found["subject"], found["archives"], found["bytes"]) == ("inventory.csv", 2, 12)
    assert found["too_large"] == {"archives": 1, "bytes": 6 * TIB}


def test_an_inventory_is_simulated_in_order_of_creation(tmp_path: Path) -> None:
    path = tmp_path / "inventory.csv"
    path.write_text("\r\n".join([HEADER, row(1, 5, "2013-01-01T00:00:00Z"), row(2, 7, "2012-01-01T00:00:00Z")]))
    assert list(read_sizes(path, in_order=True)) == [7, 5]
    assert list(read_sizes(path, in_order=False)) == [5, 7]


def test_a_file_that_is_no_inventory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInput, match="first line is 'a,b'"):
        read_sizes(path, in_order=False)


def test_a_vault_is_asked_for_its_size(deployment: Deployment) -> None:
    deployment.target.glacier.create_vault(vaultName="photos")
    for body in (b"one", b"two", b"three"):
        deployment.target.glacier.upload_archive(vaultName="photos", body=body)
    found = estimated("--vault", "photos")
    assert (found["subject"], found["archives"], found["bytes"]) == ("photos", 3, 11)


def test_a_vault_without_inventory_cannot_be_estimated_yet(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "glacier", deployment.target.glacier)
    with Stubber(deployment.target.glacier) as stubber:
        stubber.add_response("describe_vault", {"VaultName": "photos", "NumberOfArchives": 0, "SizeInBytes": 0})
        with pytest.raises(NotPossible, match="has not taken an inventory of vault 'photos' yet"):
            estimated("--vault", "photos")
        stubber.add_client_error("describe_vault", "ResourceNotFoundException")
        with pytest.raises(InvalidInput, match="there is no vault 'photos'"):
            estimated("--vault", "photos")


@pytest.mark.parametrize(
    "arguments", [[], ["--archives", "1", "--bytes", "1", "--vault", "v"], ["--archives", "1"], ["--bytes", "1"]]
)
def test_it_must_be_said_what_to_estimate_and_only_once(arguments: list[str]) -> None:
    with pytest.raises(InvalidInput):
        CliRunner().invoke(app, ["estimate", *arguments], catch_exceptions=False)


def test_archives_without_bytes_cannot_be() -> None:
    with pytest.raises(InvalidInput, match="check --archives and --bytes"):
        equal_sizes(2, 1)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("17", 17), ("1PiB", 1024**5), ("2.5 TiB", 5 * 1024**4 // 2), ("1.5kb", 1500), ("3 B", 3)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1 XiB", "1,5 TiB", "TiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="number of bytes"):
        parse_size(text)


def test_every_storage_class_and_tier_has_its_price() -> None:
    assert set(prices()["storage_classes"]) == {one.value for one in StorageClass}
    assert set(prices()["retrieval"]) == {one.value for one in Tier}


def test_people_get_a_table_that_names_region_and_date_of_the_prices() -> None:
    answer = CliRunner().invoke(app, ["estimate", "--archives", "1000", "--bytes", "1TiB", "--simulate"])
    assert answer.exit_code == ExitCode.OK
    for text in (
        "$2.56",
        "cost of the copy",
        "daily budgets needed",
        "simulated: copied after",
        "us-east-1",
        "2025-01-01",
    ):
        assert text in answer.stdout


def test_a_small_vault_is_not_compared_with_a_bound_of_seconds_and_no_cost_is_called_nothing() -> None:
    answer = CliRunner().invoke(app, ["estimate", "--archives", "40", "--bytes", "80MiB", "--simulate"])
    assert answer.exit_code == 0
    rows = dict(re.findall(r"│ (\S.*?) +│ +(.*?) +│", answer.stdout))
    assert rows["longer than that and one staging time by"] == "nothing"
    assert rows["cost of the copy"] == "< $0.01"
