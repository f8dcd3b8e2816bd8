"""The script of the Glue job: arguments in, `solution.glue.job` run, counters stated.

The same file runs in AWS Glue 5 and on one machine with PySpark 3.5. A failure leaves it as an exception: its message
becomes the reason that the job run shows.
"""

from __future__ import annotations

import sys

import boto3
from awsglue.utils import getResolvedOptions
from pyspark import SparkConf, SparkContext

from solution.contract.settings import GlueJobArguments
from solution.glue import accounting
from solution.glue.accounting import Account
from solution.glue.job import InventoryJob


def main() -> None:
    """Entry point of the script."""
    names = GlueJobArguments.names()
    resolved = getResolvedOptions(sys.argv, list(names))
    arguments = GlueJobArguments(**{name: resolved[name] for name in names})
    client = boto3.client("dynamodb")

    def state(account: Account) -> None:
        accounting.state(client, arguments.metric_table, arguments.workflow_run, account)

    context = SparkContext.getOrCreate(SparkConf().setAppName(f"inventory {arguments.workflow_run}"))
    InventoryJob(context, arguments, state).run()


if __name__ == "__main__":
    main()
