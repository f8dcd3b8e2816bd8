"""Notifications: Glacier's words, to every topic that asked, until they are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.mocking.glacier import GlacierService, ManualClock, RecordingNotifier
from tests.unit.mocking.caller import TOPIC, Glacier

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = {
    "Action",
    "ArchiveId",
    "ArchiveSHA256TreeHash",
    "ArchiveSizeInBytes",
    "Completed",
    "CompletionDate",
    "CreationDate",
    "InventoryRetrievalParameters",
    "InventorySizeInBytes",
    "JobDescription",
    "JobId",
    "RetrievalByteRange",
    "SHA256TreeHash",
    "SNSTopic",
    "StatusCode",
    "StatusMessage",
    "Tier",
    "VaultARN",
}
OTHER_TOPIC = TOPIC + "-of-the-vault"


class FailingNotifier(RecordingNotifier):
    """Fails a number of times before it works."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def publish(self, topic_arn: str, message: str) -> None:
        if self.failures:
            self.failures -= 1
            failure = "the topic is asleep"
            raise ConnectionError(failure)
        super().publish(topic_arn, message)


def messages(glacier: Glacier) -> list[dict[str, Any]]:
    return [message for _, message in glacier.notifier.published]


def test_an_archive_notification_has_every_field_of_glaciers(glacier: Glacier) -> None:
    archive = glacier.upload(b"abc")
    job = glacier.retrieve(archive, SNSTopic=TOPIC, Description="run-1", Tier="Bulk")
    glacier.wait()
    [(topic, message)] = glacier.notifier.published
    assert topic == TOPIC
    assert set(message) == FIELDS
    assert (message["JobId"], message["ArchiveId"]) == (job, archive)
    assert message["JobDescription"] == "run-1"
    assert message["Completed"] is True
    assert message["StatusCode"] == "Succeeded"
    assert message["CompletionDate"] > message["CreationDate"]
    assert message["InventoryRetrievalParameters"] is None


def test_an_inventory_notification_tells_its_size_and_parameters(glacier: Glacier) -> None:
    glacier.initiate(Type="inventory-retrieval", SNSTopic=TOPIC, Format="CSV")
    glacier.wait()
    [message] = messages(glacier)
    assert set(message) == FIELDS
    assert message["Action"] == "InventoryRetrieval"
    assert message["InventorySizeInBytes"] > 0
    assert message["InventoryRetrievalParameters"]["Format"] == "CSV"
    assert message["ArchiveId"] is None
    assert message["Tier"] is None


def test_nobody_is_told_who_did_not_ask(glacier: Glacier) -> None:
    glacier.retrieve(glacier.upload(b"abc"))
    glacier.wait()
    assert messages(glacier) == []


def test_the_topic_of_the_vault_hears_of_the_events_it_chose(glacier: Glacier) -> None:
    configuration = {"SNSTopic": OTHER_TOPIC, "Events": ["InventoryRetrievalCompleted"]}
    glacier.ok("PUT", "/vaults/v/notification-configuration", configuration)
    glacier.retrieve(glacier.upload(b"abc"), SNSTopic=TOPIC)
    glacier.initiate(Type="inventory-retrieval", SNSTopic=TOPIC)
    glacier.wait()
    heard = sorted((topic, message["Action"]) for topic, message in glacier.notifier.published)
    assert heard == [
        (TOPIC, "ArchiveRetrieval"),
        (TOPIC, "InventoryRetrieval"),
        (OTHER_TOPIC, "InventoryRetrieval"),
    ]


def test_a_publication_that_fails_is_tried_again_once_only_published(tmp_path: Path) -> None:
    clock, notifier = ManualClock(), FailingNotifier(failures=2)
    service = GlacierService(tmp_path, clock=clock, notifier=notifier)
    glacier = Glacier(service=service, clock=clock, notifier=notifier)
    service.create_vault("v")
    glacier.retrieve(glacier.upload(b"abc"), SNSTopic=TOPIC)
    glacier.wait()
    assert notifier.published == []
    for _ in range(3):
        glacier.wait(0.01)
    assert len(notifier.published) == 1
    assert service.statistics.to_json()["totals"]["notifications_published"] == 1
    service.close()


def test_a_topic_that_never_answers_is_given_up(tmp_path: Path) -> None:
    clock, notifier = ManualClock(), FailingNotifier(failures=1000)
    service = GlacierService(tmp_path, clock=clock, notifier=notifier)
    glacier = Glacier(service=service, clock=clock, notifier=notifier)
    service.create_vault("v")
    glacier.retrieve(glacier.upload(b"abc"), SNSTopic=TOPIC)
    for _ in range(10):
        glacier.wait()
    assert service.statistics.to_json()["totals"]["notifications_lost"] == 1
    assert notifier.failures == 1000 - 8
    service.close()
