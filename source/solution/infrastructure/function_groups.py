"""The functions in groups: what each does, how large it is, and what it may touch.

Each group reads as a table; to let a function do more, add a line to its grants.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from solution.contract import entry_points as ep
from solution.contract import object_keys as keys
from solution.infrastructure.event_sources import map_queue, map_stream
from solution.infrastructure.functions import FunctionFactory
from solution.infrastructure.messaging import Queues, Topics
from solution.infrastructure.permissions import (
    Grant,
    area,
    consume,
    listing,
    objects,
    publish,
    read_stream,
    reread_stream,
    send,
    table,
    vaults,
)
from solution.infrastructure.settings import instance_suffix, inventory_job_name, state_machine_arn
from solution.infrastructure.sizing import (
    BRIEF,
    CHANGES_AT_ONCE,
    CHUNKS_AT_ONCE,
    LONG,
    NOTIFICATIONS_AT_ONCE,
    QUICK,
    STEADY,
    STREAMING,
)
from solution.infrastructure.storage import DestinationBucket, InventoryBucket, Tables
from solution.infrastructure.workflows.machine import execution_arn

WAITING_MACHINES = ("OrchestratorStateMachine", "InventoryRetrievalStateMachine")
"""State machines that wait for a job with a task token."""

CHILDREN_OF_A_RUN = (
    "ArchivesStatusCleanupStateMachine",
    "InventoryRetrievalStateMachine",
    "InitiateRetrievalStateMachine",
)
"""State machines that the orchestrator starts under its own execution's name, but for the clean-up."""

_ARCHIVE_CHANGES = json.dumps(
    {"dynamodb": {"Keys": {"sk": {"S": ["meta"]}}, "NewImage": {"status": {"S": [{"exists": True}]}}}}
)
"""Archives have a status; runs have the same sort key but none, parts and progress have another one."""

_BOTH_SIDES = json.dumps(
    {"dynamodb": {"NewImage": {name: {"S": [{"exists": True}]} for name in ("task_token", "job_result")}}}
)
"""A task can be answered once both its token and the job's result are there, whichever came first."""

_RUN_PREFIX = "objects lie under the run's id, which the operator chooses"


class RunFunctions(Construct):
    """The life of a run: its record, scans of its archives, report and notice."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        factory: FunctionFactory,
        tables: Tables,
        inventory: InventoryBucket,
        destination: DestinationBucket,
        topics: Topics,
    ) -> None:
        super().__init__(scope, construct_id)
        bucket = inventory.bucket
        self.run_registrar = factory.make(
            self,
            ep.RUN_REGISTRAR,
            size=QUICK,
            does="Writes the record of a run, or refuses a run that cannot be",
            grants=[
                table(tables.retrieval, "GetItem", "UpdateItem"),
                table(tables.metrics, "UpdateItem"),
            ],
        )
        self.archives_scan = factory.make(
            self,
            ep.ARCHIVES_SCAN,
            size=LONG,
            does="Writes the archives of a run that answer a question into files, or stops those that are unfinished",
            grants=[
                table(tables.retrieval, "GetItem", "PartiQLUpdate", "Scan"),
                listing(bucket.bucket_arn, "ListBucket"),
                area(bucket, keys.ARCHIVES_STATUS_CLEANUP, "PutObject", "DeleteObject"),
                area(bucket, keys.DOWNLOAD_WINDOW_EXTENSION, "PutObject", "DeleteObject"),
                area(bucket, keys.REPORT, "PutObject", "DeleteObject"),
            ],
        )
        self.archives_status_stop = factory.make(
            self,
            ep.ARCHIVES_STATUS_STOP,
            size=STEADY,
            does="Marks archives that an earlier attempt left unfinished as stopped",
            grants=[table(tables.retrieval, "PartiQLUpdate")],
        )
        self.counters_recount = factory.make(
            self,
            ep.COUNTERS_RECOUNT,
            size=LONG,
            does="Restates the counters of a run from the records of its archives",
            grants=[
                table(tables.retrieval, "Scan"),
                table(tables.metrics, "BatchGetItem", "GetItem", "UpdateItem"),
            ],
        )
        self._end(factory, tables, inventory, destination, topics)

    def _end(
        self,
        factory: FunctionFactory,
        tables: Tables,
        inventory: InventoryBucket,
        destination: DestinationBucket,
        topics: Topics,
    ) -> None:
        bucket = inventory.bucket
        self.abort_uploads = factory.make(
            self,
            ep.ABORT_UPLOADS,
            size=STEADY,
            does="Aborts the multipart uploads that a run leaves incomplete",
            grants=[
                listing(destination.arn, "ListBucketMultipartUploads"),
                objects(destination.arn, "*", "AbortMultipartUpload", why=_RUN_PREFIX),
                listing(bucket.bucket_arn, "ListBucketMultipartUploads"),
                area(bucket, keys.ORIGINAL_INVENTORY, "AbortMultipartUpload"),
            ],
        )
        self.unrequested_listing = factory.make(
            self,
            ep.UNREQUESTED_LISTING,
            size=LONG,
            does="Lists archives of a file of the sorted inventory that were never asked for",
            grants=[
                table(tables.retrieval, "BatchGetItem"),
                listing(bucket.bucket_arn, "ListBucket"),
                area(bucket, keys.SORTED_INVENTORY, "GetObject"),
                area(bucket, keys.REPORT, "PutObject", "AbortMultipartUpload"),
            ],
        )
        self.run_report = factory.make(
            self,
            ep.RUN_REPORT,
            size=LONG,
            does="Writes the list of failed archives and the summary of a run",
            grants=[
                table(tables.retrieval, "GetItem"),
                table(tables.metrics, "GetItem"),
                listing(bucket.bucket_arn, "ListBucket"),
                area(bucket, keys.REPORT, "GetObject", "PutObject", "AbortMultipartUpload"),
                area(bucket, keys.FAILED_ARCHIVES, "PutObject", "AbortMultipartUpload"),
            ],
        )
        self.completion_notice = factory.make(
            self,
            ep.COMPLETION_NOTICE,
            size=QUICK,
            does="Writes how a run ended and tells the operator",
            grants=[
                table(tables.retrieval, "GetItem", "UpdateItem"),
                *publish(topics.run_notifications, topics.key),
            ],
        )
        self.send_anonymized_stats = factory.make(
            self,
            ep.SEND_ANONYMIZED_STATS,
            size=BRIEF,
            does="Sends anonymized statistics where the deployer has turned it on",
            grants=[table(tables.metrics, "GetItem")],
        )

    @property
    def all(self) -> tuple[lambda_.Function, ...]:
        """Every function of the group."""
        return (
            self.run_registrar,
            self.archives_scan,
            self.archives_status_stop,
            self.counters_recount,
            self.abort_uploads,
            self.unrequested_listing,
            self.run_report,
            self.completion_notice,
            self.send_anonymized_stats,
        )


class EndFunctions(Construct):
    """The end of a run that did not come by itself: found, wished for, and carried out."""

    def __init__(
        self, scope: Construct, construct_id: str, *, factory: FunctionFactory, tables: Tables, topics: Topics
    ) -> None:
        super().__init__(scope, construct_id)
        self.run_watcher = factory.make(
            self,
            ep.RUN_WATCHER,
            size=QUICK,
            does="Finds runs whose orchestrator was ended from outside, and has them cleaned up",
            grants=[*self._begin_cleanup(tables, topics), table(tables.metrics, "GetItem", "UpdateItem")],
        )
        self.run_stopper = factory.make(
            self,
            ep.RUN_STOPPER,
            size=QUICK,
            does="Ends a run because somebody wishes it so",
            grants=self._begin_cleanup(tables, topics),
        )
        job = f"arn:{cdk.Aws.PARTITION}:glue:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:job/{inventory_job_name(self)}"
        self.run_closer = factory.make(
            self,
            ep.RUN_CLOSER,
            size=QUICK,
            does="Marks a run as ending, ends what it has started, and looks whether it has come to rest",
            grants=[
                table(tables.retrieval, "GetItem", "UpdateItem"),
                table(tables.metrics, "GetItem"),
                self._executions(("DescribeExecution", "StopExecution"), CHILDREN_OF_A_RUN),
                Grant(actions=["glue:GetJobRuns", "glue:BatchStopJobRun"], resources=[job]),
            ],
        )

    @property
    def all(self) -> tuple[lambda_.Function, ...]:
        """Every function of the group."""
        return (self.run_watcher, self.run_stopper, self.run_closer)

    def _begin_cleanup(self, tables: Tables, topics: Topics) -> list[Grant]:
        return [
            table(tables.retrieval, "GetItem", "UpdateItem"),
            self._executions(("DescribeExecution", "StopExecution"), ("OrchestratorStateMachine",)),
            self._executions(("DescribeExecution",), ("CleanupStateMachine",)),
            Grant(actions=["states:StartExecution"], resources=[state_machine_arn(self, "CleanupStateMachine")]),
            *publish(topics.run_notifications, topics.key),
        ]

    def _executions(self, actions: Sequence[str], machines: Sequence[str]) -> Grant:
        return Grant(
            actions=[f"states:{action}" for action in actions],
            resources=[execution_arn(f"{name}-{instance_suffix(self)}", "*") for name in machines],
            why_wildcard="executions are named after runs and attempts",
        )


class InventoryFunctions(Construct):
    """Getting the inventory of a vault into the inventory bucket."""

    def __init__(
        self, scope: Construct, construct_id: str, *, factory: FunctionFactory, inventory: InventoryBucket
    ) -> None:
        super().__init__(scope, construct_id)
        bucket = inventory.bucket
        exists = listing(bucket.bucket_arn, "ListBucket")  # without it S3 answers 403 for an object that is not there
        self.job_request = factory.make(
            self,
            ep.INVENTORY_JOB_REQUEST,
            size=QUICK,
            does="Asks Glacier for the inventory of a vault",
            grants=[vaults("InitiateJob")],
        )
        self.job_status = factory.make(
            self,
            ep.INVENTORY_JOB_STATUS,
            size=QUICK,
            does="Looks at the inventory job when no notification came",
            grants=[vaults("DescribeJob")],
        )
        self.upload_start = factory.make(
            self,
            ep.INVENTORY_UPLOAD_START,
            size=QUICK,
            does="Cuts the inventory into ranges and opens the upload they become parts of",
            grants=[
                listing(bucket.bucket_arn, "ListBucketMultipartUploads"),
                area(bucket, keys.ORIGINAL_INVENTORY, "PutObject", "AbortMultipartUpload"),
            ],
        )
        self.chunk_transfer = factory.make(
            self,
            ep.INVENTORY_CHUNK_TRANSFER,
            size=STREAMING,
            does="Copies one range of the inventory",
            grants=[vaults("GetJobOutput"), area(bucket, keys.ORIGINAL_INVENTORY, "PutObject")],
        )
        self.upload_complete = factory.make(
            self,
            ep.INVENTORY_UPLOAD_COMPLETE,
            # S3 may take minutes to complete an upload of thousands of parts
            size=LONG,
            does="Checks the parts of the inventory and completes its upload",
            grants=[
                area(
                    bucket,
                    keys.ORIGINAL_INVENTORY,
                    "GetObject",
                    "PutObject",
                    "DeleteObject",
                    "ListMultipartUploadParts",
                ),
                exists,
            ],
        )
        self.provided_check = factory.make(
            self,
            ep.PROVIDED_INVENTORY_CHECK,
            size=STREAMING,
            does="Checks every row of an inventory that the user provided",
            grants=[area(bucket, keys.ORIGINAL_INVENTORY, "GetObject"), exists],
        )
        self.naming_override_fetch = factory.make(
            self,
            ep.NAMING_OVERRIDE_FETCH,
            size=STREAMING,
            does="Fetches the names that the user chose",
            grants=[area(bucket, keys.NAMING_OVERRIDES, "PutObject", "AbortMultipartUpload")],
        )

    @property
    def all(self) -> tuple[lambda_.Function, ...]:
        """Every function of the group."""
        return (
            self.job_request,
            self.job_status,
            self.upload_start,
            self.chunk_transfer,
            self.upload_complete,
            self.provided_check,
            self.naming_override_fetch,
        )


class RequestFunctions(Construct):
    """Asking Glacier for archives, at the right pace."""

    def __init__(
        self, scope: Construct, construct_id: str, *, factory: FunctionFactory, tables: Tables, queues: Queues
    ) -> None:
        super().__init__(scope, construct_id)
        self.initiate_archive_retrieval = factory.make(
            self,
            ep.INITIATE_ARCHIVE_RETRIEVAL,
            size=STEADY,
            does="Asks Glacier for a batch of archives",
            grants=[
                vaults("InitiateJob"),
                table(
                    tables.retrieval,
                    *("BatchGetItem", "BatchWriteItem", "GetItem", "Query", "PartiQLInsert", "PartiQLUpdate"),
                ),
                table(tables.metrics, "GetItem", "PutItem", "UpdateItem"),
            ],
        )
        self.calculate_timeout = factory.make(
            self,
            ep.CALCULATE_TIMEOUT,
            size=QUICK,
            does="Says how long to wait before the quota allows for more archives",
            grants=[table(tables.metrics, "GetItem")],
        )
        self.extend_window_request = factory.make(
            self,
            ep.EXTEND_WINDOW_REQUEST,
            size=STEADY,
            does="Asks again for archives whose window is about to close, and what became of overdue retrievals",
            grants=[
                vaults("DescribeJob", "InitiateJob"),
                table(tables.retrieval, "BatchGetItem", "GetItem", "PartiQLUpdate", "UpdateItem"),
                table(tables.metrics, "GetItem", "PutItem", "UpdateItem"),
                send(queues.notifications.queue),
            ],
        )

    @property
    def all(self) -> tuple[lambda_.Function, ...]:
        """Every function of the group."""
        return (
            self.initiate_archive_retrieval,
            self.calculate_timeout,
            self.extend_window_request,
        )


class RetrievalFunctions(Construct):
    """The event-driven part: from Glacier's notification to the object, counted."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        factory: FunctionFactory,
        tables: Tables,
        destination: DestinationBucket,
        queues: Queues,
    ) -> None:
        super().__init__(scope, construct_id)
        self._copy(factory, tables, destination, queues)
        self._count(factory, tables, queues)
        self._map_queues(queues)
        self._map_streams(tables, queues)

    def _copy(self, factory: FunctionFactory, tables: Tables, destination: DestinationBucket, queues: Queues) -> None:
        new_objects = objects(destination.arn, "*", "PutObject", why=_RUN_PREFIX)
        abort = objects(destination.arn, "*", "AbortMultipartUpload", why=_RUN_PREFIX)
        proof = objects(destination.arn, "*", "GetObject", why=_RUN_PREFIX)
        exists = listing(destination.arn, "ListBucket")  # without it S3 answers 403 for an object that is not there
        self.notifications_processor = factory.make(
            self,
            ep.NOTIFICATIONS_PROCESSOR,
            size=QUICK,
            does="Turns Glacier's notifications into chunks to copy",
            grants=[
                consume(queues.notifications.queue),
                table(tables.retrieval, "GetItem", "Query", "UpdateItem"),
                table(tables.facilitator, "UpdateItem"),
                *(new_objects, abort),
                send(queues.chunks.queue),
            ],
        )
        self.chunk_retrieval = factory.make(
            self,
            ep.CHUNK_RETRIEVAL,
            size=STREAMING,
            does="Copies one chunk of an archive, proven by its tree hash",
            grants=[
                consume(queues.chunks.queue),
                vaults("GetJobOutput"),
                table(tables.retrieval, "GetItem", "PutItem", "Query", "UpdateItem"),
                *(new_objects, proof, exists),
                send(queues.validation.queue),
            ],
        )
        self.archive_validation = factory.make(
            self,
            ep.ARCHIVE_VALIDATION,
            size=LONG,
            does="Proves and completes archives of several chunks",
            grants=[
                consume(queues.validation.queue),
                table(tables.retrieval, "BatchWriteItem", "GetItem", "Query", "UpdateItem"),
                *(new_objects, abort, proof, exists),
                objects(destination.arn, "*", "ListMultipartUploadParts", why=_RUN_PREFIX),
            ],
        )
        self.dead_letter_processor = factory.make(
            self,
            ep.DEAD_LETTER_PROCESSOR,
            size=QUICK,
            does="Marks the archives behind dead letters as failed, with the reason",
            grants=[
                consume(queues.notifications.dead_letters, queues.chunks.dead_letters, queues.validation.dead_letters),
                table(tables.retrieval, "GetItem", "UpdateItem"),
            ],
        )

    @property
    def all(self) -> tuple[lambda_.Function, ...]:
        """Every function of the group."""
        return (
            self.notifications_processor,
            self.chunk_retrieval,
            self.archive_validation,
            self.dead_letter_processor,
            self.metrics_processor,
            self.uncounted_changes_processor,
            self.completion_checker,
            self.async_facilitator,
        )

    def _count(self, factory: FunctionFactory, tables: Tables, queues: Queues) -> None:
        result = table(tables.facilitator, "UpdateItem")
        self.metrics_processor = factory.make(
            self,
            ep.METRICS_PROCESSOR,
            size=QUICK,
            does="Counts changes of archives, each exactly once, and ends the run after the last",
            grants=[
                *read_stream(tables.retrieval),
                send(queues.metrics_failures),
                # a transaction is authorised by what it does
                table(tables.metrics, "BatchGetItem", "GetItem", "UpdateItem"),
                table(tables.retrieval, "GetItem"),
                result,
            ],
        )
        self.uncounted_changes_processor = factory.make(
            self,
            ep.UNCOUNTED_CHANGES_PROCESSOR,
            size=STEADY,
            does="Counts changes that MetricsProcessor has given up",
            grants=[
                consume(queues.metrics_failures),
                reread_stream(tables.retrieval),
                table(tables.metrics, "BatchGetItem", "GetItem", "UpdateItem"),
                table(tables.retrieval, "GetItem"),
                result,
            ],
        )
        self.completion_checker = factory.make(
            self,
            ep.COMPLETION_CHECKER,
            size=QUICK,
            does="Ends a run that is complete or does not move any more",
            grants=[table(tables.metrics, "GetItem", "PutItem"), result],
        )
        self.async_facilitator = factory.make(
            self,
            ep.ASYNC_FACILITATOR,
            size=QUICK,
            does="Answers the state machines that wait for a job",
            grants=[
                *read_stream(tables.facilitator),
                send(queues.facilitator_failures),
                Grant(
                    actions=["states:SendTaskSuccess", "states:SendTaskFailure"],
                    resources=[state_machine_arn(self, name) for name in WAITING_MACHINES],
                ),
            ],
        )

    def _map_queues(self, queues: Queues) -> None:
        for name, function, pair, batch, most in (
            ("Notifications", self.notifications_processor, queues.notifications, NOTIFICATIONS_AT_ONCE, 50),
            # what runs at once is bounded by what the destination bucket takes
            ("Chunks", self.chunk_retrieval, queues.chunks, CHUNKS_AT_ONCE, 250),
            ("Validation", self.archive_validation, queues.validation, CHUNKS_AT_ONCE, 50),
        ):
            map_queue(self, name, function, pair.queue, batch=batch, most=most)
        for name, pair in (
            ("NotificationsDlq", queues.notifications),
            ("ChunksDlq", queues.chunks),
            ("ValidationDlq", queues.validation),
        ):
            map_queue(self, name, self.dead_letter_processor, pair.dead_letters, batch=10, most=5)
        map_queue(self, "Uncounted", self.uncounted_changes_processor, queues.metrics_failures, batch=1, most=2)

    def _map_streams(self, tables: Tables, queues: Queues) -> None:
        map_stream(
            self,
            "Metrics",
            self.metrics_processor,
            tables.retrieval,
            queues.metrics_failures,
            only=_ARCHIVE_CHANGES,
            batch=CHANGES_AT_ONCE,
            window=1,
        )
        map_stream(
            self,
            "Facilitator",
            self.async_facilitator,
            tables.facilitator,
            queues.facilitator_failures,
            only=_BOTH_SIDES,
            batch=10,
            window=0,
        )


class Functions(Construct):
    """Groups: ``runs``, ``ends``, ``inventories``, ``requests``, ``retrieval``; ``all`` are all their functions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        factory: FunctionFactory,
        tables: Tables,
        inventory: InventoryBucket,
        destination: DestinationBucket,
        topics: Topics,
        queues: Queues,
    ) -> None:
        super().__init__(scope, construct_id)
        self.runs = RunFunctions(
            self,
            "Runs",
            factory=factory,
            tables=tables,
            inventory=inventory,
            destination=destination,
            topics=topics,
        )
        self.ends = EndFunctions(self, "Ends", factory=factory, tables=tables, topics=topics)
        self.inventories = InventoryFunctions(self, "Inventories", factory=factory, inventory=inventory)
        self.requests = RequestFunctions(self, "Requests", factory=factory, tables=tables, queues=queues)
        self.retrieval = RetrievalFunctions(
            self, "Retrieval", factory=factory, tables=tables, destination=destination, queues=queues
        )
        self.all = (*self.runs.all, *self.ends.all, *self.inventories.all, *self.requests.all, *self.retrieval.all)


def timeouts() -> dict[str, cdk.Duration]:
    """Time limits of the functions behind queues, from which the queues take their visibility timeouts."""
    return {
        "notifications_timeout": cdk.Duration.seconds(QUICK.timeout),
        "chunk_timeout": cdk.Duration.seconds(STREAMING.timeout),
        "validation_timeout": cdk.Duration.seconds(LONG.timeout),
        "dead_letter_timeout": cdk.Duration.seconds(QUICK.timeout),
        "uncounted_timeout": cdk.Duration.seconds(STEADY.timeout),
    }
