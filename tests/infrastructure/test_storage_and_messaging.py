"""Tables, buckets, topics and queues: encrypted, closed to plain HTTP, kept, and never without a way out."""

from __future__ import annotations

import pytest

from solution.contract import tables
from tests.infrastructure.synthesised import Resource, Synthesised

PAIRS = {
    "NotificationsQueue": ("NotificationsDlq", "NotificationsProcessor"),
    "ChunksRetrievalQueue": ("ChunksRetrievalDlq", "ChunkRetrieval"),
    "ValidationQueue": ("ValidationDlq", "ArchiveValidation"),
}
LAST_RESORTS = ("UnhandledDlq", "AsyncFacilitatorFailureQueue")


def test_tables_have_the_keys_of_the_contract(solution: Synthesised) -> None:
    keys = {
        solution.public_name(table): [key["AttributeName"] for key in table.properties["KeySchema"]]
        for table in solution.all("AWS::DynamoDB::Table")
    }
    assert keys == {
        "GlacierObjectRetrieval": [tables.PK, tables.SK],
        "MetricTable": [tables.PK],
        "AsyncFacilitatorTable": [tables.FacilitatorItem.JOB_ID],
    }


def test_tables_are_encrypted_billed_on_demand_and_survive_the_stack(solution: Synthesised) -> None:
    for table in solution.all("AWS::DynamoDB::Table"):
        assert table.properties["SSESpecification"] == {"SSEEnabled": True}
        assert table.properties["BillingMode"] == "PAY_PER_REQUEST"
        assert table.properties["DeletionProtectionEnabled"] is True
        assert table.body["DeletionPolicy"] == table.body["UpdateReplacePolicy"] == "Retain"
        assert "GlobalSecondaryIndexes" not in table.properties


@pytest.mark.parametrize(
    ("table", "stream", "expires"),
    [
        ("GlacierObjectRetrieval", "NEW_AND_OLD_IMAGES", False),
        ("MetricTable", None, True),
        ("AsyncFacilitatorTable", "NEW_IMAGE", True),
    ],
)
def test_streams_and_expiry_are_as_the_functions_need_them(
    solution: Synthesised, table: str, stream: str | None, *, expires: bool
) -> None:
    properties = solution.named("AWS::DynamoDB::Table", table).properties
    assert properties.get("StreamSpecification", {}).get("StreamViewType") == stream
    wanted = {"AttributeName": tables.EXPIRES_AT, "Enabled": True} if expires else None
    assert properties.get("TimeToLiveSpecification") == wanted


def test_buckets_are_encrypted_private_kept_and_refuse_plain_http(solution: Synthesised) -> None:
    policies = {policy.properties["Bucket"]["Ref"]: policy for policy in solution.all("AWS::S3::BucketPolicy")}
    for bucket in solution.all("AWS::S3::Bucket"):
        assert "BucketEncryption" in bucket.properties
        assert set(bucket.properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket.body["DeletionPolicy"] == "Retain"
        assert refuses_plain_http(policies[bucket.logical_id]), bucket.logical_id


def test_queues_are_encrypted_and_refuse_plain_http(solution: Synthesised) -> None:
    policies = {policy.properties["Queues"][0]["Ref"]: policy for policy in solution.all("AWS::SQS::QueuePolicy")}
    for queue in solution.all("AWS::SQS::Queue"):
        assert queue.properties["SqsManagedSseEnabled"] is True
        assert refuses_plain_http(policies[queue.logical_id]), queue.logical_id


def test_topics_are_encrypted_with_our_key_and_refuse_plain_http(solution: Synthesised) -> None:
    policies = {policy.properties["Topics"][0]["Ref"]: policy for policy in solution.all("AWS::SNS::TopicPolicy")}
    for topic in solution.all("AWS::SNS::Topic"):
        assert solution.text(topic.properties["KmsMasterKeyId"]).startswith("<TopicsTopicsKey")
        assert refuses_plain_http(policies[topic.logical_id]), topic.logical_id


def refuses_plain_http(policy: Resource) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Principal"] in ("*", {"AWS": "*"})
        for statement in policy.properties["PolicyDocument"]["Statement"]
    )


@pytest.mark.parametrize(("queue", "dead_letters"), [(queue, pair[0]) for queue, pair in PAIRS.items()])
def test_a_message_that_cannot_be_handled_goes_to_the_dead_letter_queue(
    solution: Synthesised, queue: str, dead_letters: str
) -> None:
    target = solution.named("AWS::SQS::Queue", dead_letters)
    redrive = solution.named("AWS::SQS::Queue", queue).properties["RedrivePolicy"]
    assert solution.text(redrive["deadLetterTargetArn"]) == f"<{target.logical_id}.Arn>"
    assert redrive["maxReceiveCount"] == 5
    last = solution.named("AWS::SQS::Queue", "UnhandledDlq")
    assert solution.text(target.properties["RedrivePolicy"]["deadLetterTargetArn"]) == f"<{last.logical_id}.Arn>"


def test_visibility_timeouts_are_at_least_six_times_the_functions_time_limit(solution: Synthesised) -> None:
    functions = solution.functions()
    for queue, (dead_letters, function) in PAIRS.items():
        for name, reader in ((queue, function), (dead_letters, "DeadLetterProcessor")):
            visibility = solution.named("AWS::SQS::Queue", name).properties["VisibilityTimeout"]
            assert visibility >= 6 * functions[reader].properties["Timeout"], name


def test_changes_that_cannot_be_counted_either_rest_where_a_person_looks(solution: Synthesised) -> None:
    queue = solution.named("AWS::SQS::Queue", "MetricsFailureQueue").properties
    last = solution.named("AWS::SQS::Queue", "UnhandledDlq")
    assert solution.text(queue["RedrivePolicy"]["deadLetterTargetArn"]) == f"<{last.logical_id}.Arn>"
    assert queue["VisibilityTimeout"] >= 6 * solution.functions()["UncountedChangesProcessor"].properties["Timeout"]


def test_messages_are_kept_as_long_as_sqs_allows(solution: Synthesised) -> None:
    kept = {queue.properties["MessageRetentionPeriod"] for queue in solution.all("AWS::SQS::Queue")}
    assert kept == {14 * 24 * 3600}


def test_glacier_and_nobody_else_may_publish_ended_jobs_and_only_for_this_account(solution: Synthesised) -> None:
    topic = solution.named("AWS::SNS::Topic", "AsyncFacilitatorTopic")
    (policy,) = [
        p for p in solution.all("AWS::SNS::TopicPolicy") if p.properties["Topics"] == [{"Ref": topic.logical_id}]
    ]
    allowed = [s for s in policy.properties["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert {s["Principal"]["Service"] for s in allowed} == {"glacier.amazonaws.com"}
    account = {"Ref": "AWS::AccountId"}
    assert [s["Condition"]["StringEquals"] for s in allowed] == [
        {"aws:SourceAccount": account},
        {"aws:SourceOwner": account},
    ]


def test_glacier_and_alarms_may_use_the_key_for_topics_of_this_account(solution: Synthesised) -> None:
    (key,) = [key for key in solution.all("AWS::KMS::Key") if key.logical_id.startswith("TopicsTopicsKey")]
    assert key.properties["EnableKeyRotation"] is True
    (services,) = [s for s in key.properties["KeyPolicy"]["Statement"] if "Service" in s["Principal"]]
    assert set(services["Principal"]["Service"]) == {"cloudwatch.amazonaws.com", "glacier.amazonaws.com"}
    assert services["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert "kms:EncryptionContext:aws:sns:topicArn" in services["Condition"]["ArnLike"]


def test_notifications_reach_their_queue_as_glacier_wrote_them(solution: Synthesised) -> None:
    (subscription,) = solution.all("AWS::SNS::Subscription")
    topic = solution.named("AWS::SNS::Topic", "AsyncFacilitatorTopic")
    queue = solution.named("AWS::SQS::Queue", "NotificationsQueue")
    assert subscription.properties["RawMessageDelivery"] is True
    assert subscription.properties["TopicArn"] == {"Ref": topic.logical_id}
    assert solution.text(subscription.properties["Endpoint"]) == f"<{queue.logical_id}.Arn>"
    (policy,) = [
        p for p in solution.all("AWS::SQS::QueuePolicy") if p.properties["Queues"] == [{"Ref": queue.logical_id}]
    ]
    (send,) = [s for s in policy.properties["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert send["Principal"] == {"Service": "sns.amazonaws.com"}
    assert send["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": topic.logical_id}}}


@pytest.mark.parametrize("queue", [*(pair[0] for pair in PAIRS.values()), "MetricsFailureQueue", *LAST_RESORTS])
def test_an_alarm_tells_the_operator_of_anything_in_a_queue_that_should_be_empty(
    solution: Synthesised, queue: str
) -> None:
    alarm = solution.named("AWS::CloudWatch::Alarm", queue).properties
    topic = solution.named("AWS::SNS::Topic", "RunNotificationsTopic")
    watched = solution.named("AWS::SQS::Queue", queue)
    assert alarm["AlarmActions"] == [{"Ref": topic.logical_id}]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert solution.text(alarm["Dimensions"][0]["Value"]) == f"<{watched.logical_id}.QueueName>"
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


@pytest.mark.parametrize("machine", ["ExtendDownloadWindowStateMachine", "CloudWatchDashboardUpdateStateMachine"])
def test_an_alarm_tells_of_machines_that_rules_start_and_nobody_waits_for(solution: Synthesised, machine: str) -> None:
    alarm = solution.named("AWS::CloudWatch::Alarm", f"{machine}Failures").properties
    assert alarm["MetricName"] == "ExecutionsFailed"
    assert solution.text(alarm["Dimensions"][0]["Value"]) == f"<{solution.machines()[machine].logical_id}.Arn>"


def test_an_alarm_tells_when_runs_cannot_be_watched(solution: Synthesised) -> None:
    alarm = solution.named("AWS::CloudWatch::Alarm", "RunWatcherErrors").properties
    topic = solution.named("AWS::SNS::Topic", "RunNotificationsTopic")
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert alarm["Dimensions"][0]["Value"] == {"Ref": solution.functions()["RunWatcher"].logical_id}
    assert alarm["AlarmActions"] == [{"Ref": topic.logical_id}]
