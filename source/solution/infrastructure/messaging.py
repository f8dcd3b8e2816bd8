"""Topics and queues, each queue with the place its dead letters go to, all encrypted and closed to plain HTTP."""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from solution.infrastructure.nag import acknowledge
from solution.infrastructure.settings import instance_suffix

RETENTION = cdk.Duration.days(14)
"""As long as SQS allows: a message must outlive any stop that a person needs to notice and mend."""

MAX_RECEIVES = 5


class Topics(Construct):
    """``facilitator`` hears from Glacier that jobs have ended; ``run_notifications`` tells the operator."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.key = self._key()
        self.facilitator = self._topic("AsyncFacilitatorTopic", "Glacier jobs that have ended")
        self.run_notifications = self._topic("RunNotificationsTopic", "Ends of runs, and alarms")
        self._let_glacier_publish()
        self.run_notifications.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsPublish",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.run_notifications.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            )
        )

    def _key(self) -> kms.Key:
        """Services can publish to an encrypted topic only through a key of ours whose policy names them.

        "Enable compatibility between event sources from AWS services and encrypted topics", Amazon SNS Developer Guide.
        """
        key = kms.Key(
            self,
            "TopicsKey",
            description="Encrypts the topics of the Glacier vault transfer",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        topics = f"arn:{cdk.Aws.PARTITION}:sns:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:*"
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ServicesPublishToTopicsOfThisAccount",
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                principals=[
                    iam.ServicePrincipal("glacier.amazonaws.com"),
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                ],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": topics}},
            )
        )
        return key

    def _topic(self, name: str, display_name: str) -> sns.Topic:
        return sns.Topic(
            self,
            name,
            topic_name=f"{name}-{instance_suffix(self)}",
            display_name=display_name,
            master_key=self.key,
            enforce_ssl=True,
        )

    def _let_glacier_publish(self) -> None:
        # Some services still send the older key only ("aws:SourceAccount versus aws:SourceOwner", Amazon SNS Developer
        # Guide); a statement for each lets either in, and nobody else's account.
        for sid, key in (("GlacierPublishes", "aws:SourceAccount"), ("GlacierPublishesAsOwner", "aws:SourceOwner")):
            self.facilitator.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=sid,
                    actions=["sns:Publish"],
                    principals=[iam.ServicePrincipal("glacier.amazonaws.com")],
                    resources=[self.facilitator.topic_arn],
                    conditions={"StringEquals": {key: cdk.Aws.ACCOUNT_ID}},
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePair:
    """A queue and where its messages go after `MAX_RECEIVES` failed attempts."""

    queue: sqs.Queue
    dead_letters: sqs.Queue


class Queues(Construct):
    """The three queues of archive retrieval, and where records of the table streams end that nobody could handle.

    A visibility timeout is six times that of the function behind the queue ("Configuring an Amazon SQS queue to use
    with Lambda", AWS Lambda Developer Guide).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        facilitator_topic: sns.ITopic,
        notifications_timeout: cdk.Duration,
        chunk_timeout: cdk.Duration,
        validation_timeout: cdk.Duration,
        dead_letter_timeout: cdk.Duration,
        uncounted_timeout: cdk.Duration,
    ) -> None:
        super().__init__(scope, construct_id)
        self._dead_letter_timeout = dead_letter_timeout
        # What the functions behind dead letters cannot handle themselves rests here until a person looks.
        self.unhandled = self._last_resort("UnhandledDlq")
        self.notifications = self._pair("NotificationsQueue", "NotificationsDlq", notifications_timeout)
        self.chunks = self._pair("ChunksRetrievalQueue", "ChunksRetrievalDlq", chunk_timeout)
        self.validation = self._pair("ValidationQueue", "ValidationDlq", validation_timeout)
        self.metrics_failures = self._queue("MetricsFailureQueue", uncounted_timeout, self.unhandled)
        self.facilitator_failures = self._last_resort("AsyncFacilitatorFailureQueue")
        facilitator_topic.add_subscription(
            subscriptions.SqsSubscription(self.notifications.queue, raw_message_delivery=True)
        )

    @property
    def work(self) -> tuple[sqs.Queue, ...]:
        """Queues in which messages are work to do."""
        return (self.notifications.queue, self.chunks.queue, self.validation.queue)

    @property
    def watched(self) -> tuple[sqs.Queue, ...]:
        """Queues in which a message means that something went wrong."""
        return (
            self.notifications.dead_letters,
            self.chunks.dead_letters,
            self.validation.dead_letters,
            self.unhandled,
            self.metrics_failures,
            self.facilitator_failures,
        )

    def _pair(self, name: str, dead_letter_name: str, timeout: cdk.Duration) -> QueuePair:
        dead_letters = self._queue(dead_letter_name, self._dead_letter_timeout, self.unhandled)
        queue = self._queue(name, timeout, dead_letters)
        return QueuePair(queue=queue, dead_letters=dead_letters)

    def _last_resort(self, name: str) -> sqs.Queue:
        queue = self._queue(name, self._dead_letter_timeout)
        acknowledge(queue, "AwsSolutions-SQS3", "it is the last resort itself; an alarm watches it")
        return queue

    def _queue(self, name: str, timeout: cdk.Duration, dead_letters: sqs.Queue | None = None) -> sqs.Queue:
        return sqs.Queue(
            self,
            name,
            queue_name=f"{name}-{instance_suffix(self)}",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=RETENTION,
            visibility_timeout=cdk.Duration.seconds(6 * int(timeout.to_seconds())),
            dead_letter_queue=(
                sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MAX_RECEIVES) if dead_letters else None
            ),
        )
