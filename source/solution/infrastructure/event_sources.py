"""What calls a function when there is something in a queue or a table's stream; the grants are the function's own."""

from __future__ import annotations

from typing import Final

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

STREAM_RETRIES: Final = 20
"""A record is tried so often, with the batch halved around it, before it goes to the failure queue."""


def map_queue(
    scope: Construct, name: str, function: lambda_.Function, queue: sqs.Queue, *, batch: int, most: int
) -> None:
    """Call ``function`` with at most ``batch`` messages, ``most`` times at once; failed ones come back alone."""
    lambda_.CfnEventSourceMapping(
        scope,
        f"{name}Mapping",
        function_name=function.function_arn,
        event_source_arn=queue.queue_arn,
        batch_size=batch,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=most),
    )


def map_stream(
    scope: Construct,
    name: str,
    function: lambda_.Function,
    table: dynamodb.Table,
    failures: sqs.Queue,
    *,
    only: str,
    batch: int,
    window: int,
) -> None:
    """Call ``function`` with changes of ``table`` that match the pattern ``only``, collected for ``window`` seconds.

    A record that cannot be handled goes to ``failures`` and holds up nothing.
    """
    pattern = lambda_.CfnEventSourceMapping.FilterProperty(pattern=only)
    lambda_.CfnEventSourceMapping(
        scope,
        f"{name}Mapping",
        function_name=function.function_arn,
        event_source_arn=table.table_stream_arn,
        starting_position="TRIM_HORIZON",
        batch_size=batch,
        maximum_batching_window_in_seconds=window,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=STREAM_RETRIES,
        function_response_types=["ReportBatchItemFailures"],
        filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(filters=[pattern]),
        destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failures.queue_arn)
        ),
    )
