"""Glacier answers at the endpoint of every other service, under IAM, and notifies through topics that let it."""

from __future__ import annotations

import io
import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.utils import calculate_tree_hash

from tests.local.support import LocalAws, allow, unique, until


def vault_with_archive(aws: LocalAws, body: bytes) -> tuple[str, str]:
    """Names of a new vault and of the one archive in it."""
    glacier, vault = aws.client("glacier"), unique("vault")
    glacier.create_vault(vaultName=vault)
    archive = glacier.upload_archive(vaultName=vault, body=body, archiveDescription="one")
    stream: Any = io.BytesIO(body)
    assert archive["checksum"] == calculate_tree_hash(stream)
    return vault, archive["archiveId"]


def notified_queue(aws: LocalAws, *, publisher: str) -> tuple[str, str]:
    """A topic that lets one service publish, and a queue subscribed to it."""
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    statement = allow("sns:Publish", topic, Principal={"Service": publisher})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    deliver = allow("sqs:SendMessage", arn, Principal={"Service": "sns.amazonaws.com"})
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [deliver]})},
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, url


def test_a_large_archive_comes_back_in_one_stream_after_its_notification(aws: LocalAws) -> None:
    body = bytes(range(256)) * 4096 * 3
    vault, archive = vault_with_archive(aws, body)
    topic, queue = notified_queue(aws, publisher="glacier.amazonaws.com")
    glacier, sqs = aws.client("glacier"), aws.client("sqs")
    job = glacier.initiate_job(
        vaultName=vault,
        jobParameters={"Type": "archive-retrieval", "ArchiveId": archive, "Tier": "Expedited", "SNSTopic": topic},
    )["jobId"]
    message = until(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"))[0]
    notification = json.loads(json.loads(message["Body"])["Message"])
    assert notification["JobId"] == job
    output = glacier.get_job_output(vaultName=vault, jobId=job)
    assert output["body"].read() == body
    assert output["checksum"] == notification["SHA256TreeHash"]


def test_a_topic_that_does_not_name_glacier_hears_nothing(aws: LocalAws) -> None:
    vault, archive = vault_with_archive(aws, b"x")
    topic, queue = notified_queue(aws, publisher="events.amazonaws.com")
    glacier = aws.client("glacier")
    job = glacier.initiate_job(
        vaultName=vault,
        jobParameters={"Type": "archive-retrieval", "ArchiveId": archive, "Tier": "Expedited", "SNSTopic": topic},
    )["jobId"]
    until(lambda: glacier.describe_job(vaultName=vault, jobId=job)["Completed"])
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1)


def test_a_role_reaches_the_vault_of_its_policy_alone(aws: LocalAws) -> None:
    mine, _ = vault_with_archive(aws, b"x")
    other, _ = vault_with_archive(aws, b"x")
    role = aws.role(allow("glacier:DescribeVault", f"arn:aws:glacier:us-east-1:000000000000:vaults/{mine}"))
    glacier = aws.as_role(role, "glacier")
    assert glacier.describe_vault(vaultName=mine)["VaultName"] == mine
    for refused in (
        lambda: glacier.describe_vault(vaultName=other),
        lambda: glacier.list_jobs(vaultName=mine),
        glacier.list_vaults,
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


def test_a_state_machine_starts_jobs_and_catches_glaciers_errors_by_name(aws: LocalAws) -> None:
    vault, archive = vault_with_archive(aws, b"x")
    states = {
        "Initiate": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:glacier:initiateJob",
            "Parameters": {
                "AccountId": "-",
                "VaultName": vault,
                "JobParameters": {"Type": "archive-retrieval", "ArchiveId.$": "$.archive", "Tier": "Bulk"},
            },
            "End": True,
        }
    }
    permission = allow("glacier:InitiateJob", f"arn:aws:glacier:us-east-1:000000000000:vaults/{vault}")
    started = aws.run_states(states, permission, payload={"archive": archive})
    missing = aws.run_states(states, permission, payload={"archive": "x" * 138})
    refused = aws.run_states(states, payload={"archive": archive})
    assert started["output"]["JobId"]
    assert missing["error"] == "Glacier.ResourceNotFoundException"
    assert refused["error"] == "Glacier.AccessDeniedException"


def test_the_mocks_own_controls_are_reached_at_the_same_port(aws: LocalAws) -> None:
    url = f"{aws.endpoint}/_mock/statistics"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
        assert "operations" in json.loads(answer.read())
