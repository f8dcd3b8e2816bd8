"""Notifications through Amazon SNS, or whatever answers at an SNS endpoint; the only boto3 of the mock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class SnsNotifier:
    """Publishes with a ready client; boto3's clients may be used from several threads."""

    def __init__(self, client: SNSClient) -> None:
        self._client = client

    def publish(self, topic_arn: str, message: str) -> None:
        """Publish one notification."""
        self._client.publish(TopicArn=topic_arn, Subject="Notification From Amazon Glacier Service", Message=message)
