"""The script itself: arguments from the command line, counters in the table."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

import solution.glue

if TYPE_CHECKING:
    import pytest
    from pyspark import SparkContext

SCRIPT = Path(solution.glue.__file__).parent / "main.py"


def resolved_options(arguments: list[str], names: list[str]) -> dict[str, Any]:
    """As Glue reads them: what nobody asked for is left alone."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    return vars(parser.parse_known_args(arguments[1:])[0])


def test_the_script_runs_as_glue_runs_it(
    spark: SparkContext,  # noqa: ARG001 - the script finds the context that is there
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = ModuleType("awsglue.utils")
    library.getResolvedOptions = resolved_options  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "awsglue", ModuleType("awsglue"))
    monkeypatch.setitem(sys.modules, "awsglue.utils", library)
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    inventory = tmp_path / "original_inventory" / "inventory.csv"
    inventory.parent.mkdir()
    header = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"
    inventory.write_text(f'{header}\n{"a" * 138},"x.txt",2012-05-15T17:21:39Z,7,{"0" * 64}\n')
    areas = {
        "inventory_uri": "original_inventory",
        "overrides_uri": "naming_overrides",
        "output_uri": "sorted_inventory",
        "not_migrated_uri": "not_migrated",
        "rejected_uri": "rejected_rows",
    }
    options = {
        "JOB_NAME": "inventory",
        "workflow_run": "r",
        **{name: f"file://{tmp_path}/{area}/" for name, area in areas.items()},
        "metric_table": "metrics",
        "partition_bytes": "1000",
        "partition_archives": "10",
        "file_archives": "10",
    }
    flags = (part for name, value in options.items() for part in (f"--{name}", value))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *flags])
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="metrics",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        runpy.run_path(str(SCRIPT), run_name="__main__")
        item = client.get_item(TableName="metrics", Key={"pk": {"S": "r"}})["Item"]
    assert (item["total_count"], item["total_bytes"]) == ({"N": "1"}, {"N": "7"})
    assert (tmp_path / "sorted_inventory/partitions.csv").read_text().splitlines() == [
        "Partition,Prefix,Archives,Bytes,Last",
        "0,r/sorted_inventory/partition_00000/,1,7,true",
    ]
