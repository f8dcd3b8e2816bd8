"""Notifications, chunks, validations, dead letters: each odd case handled on purpose."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.in_memory.facilitator import InMemoryFacilitator, InMemoryGate
from solution.application.in_memory.objects import InMemoryObjectStore
from solution.application.in_memory.records import InMemoryTransferRecords
from solution.application.ports.counters import Tally
from solution.application.ports.records import ArchiveRecord, Part
from solution.application.use_cases.answer_task import AnswerTask
from solution.application.use_cases.backoff import redelivery_delay
from solution.application.use_cases.bury_message import BuryMessage
from solution.application.use_cases.completion import CheckCompletion, Completion
from solution.application.use_cases.extend_windows import Extended
from solution.application.use_cases.object_metadata import MAX_METADATA_BYTES, encode_description, object_metadata
from solution.application.use_cases.process_notifications import Incoming
from solution.application.use_cases.validate_archive import ValidateArchive
from solution.contract import object_keys as keys
from solution.contract.messages import ChunkMessage, GlacierNotification, JobResult, ValidationMessage
from solution.contract.tables import archive_pk, completion_job_id
from solution.domain.chunk_plan import MIB
from solution.domain.errors import InvalidInput, ObjectExists
from solution.domain.status import ArchiveStatus, Metric
from solution.domain.tree_hash import tree_hash
from tests import builders
from tests.builders import RUN, archive
from tests.unit.application.world import World

SMALL = builders.content(2000, 7)
LARGE = builders.content(2 * MIB + 5, 8)


def staged(**contents: bytes) -> World:
    """A world whose archives are staged, their chunks waiting."""
    world = World(contents)
    world.ask()
    world.finish_jobs()
    for _ in contents:
        world.deliver(world.notifications)
    world.chunks.fill()
    return world


def notify(world: World, *bodies: str) -> list[str]:
    """NotificationsProcessor with these messages; the numbers of those that failed."""
    return world.notify([Incoming(message_id=str(number), body=body) for number, body in enumerate(bodies)])


# notifications


def test_one_bad_notification_does_not_hold_up_the_others() -> None:
    world = World({"small": SMALL})
    world.ask()
    good = world.glacier.finish("job-1")
    unknown = json.dumps({**json.loads(good), "ArchiveId": "unknown"})
    foreign = json.dumps({**json.loads(good), "JobDescription": "somebody else's job!"})
    assert notify(world, "junk", good, unknown, foreign, '{"Action": "Tea"}') == ["0", "2", "3", "4"]
    assert world.status("small") is ArchiveStatus.STAGED


def test_a_notification_may_beat_our_own_write() -> None:
    world = World({"small": SMALL})
    # the run goes on, load, create, it still goes on, two for the ledger, job, and the outcome
    world.fuse.arm(8, after=False)
    assert world.ask() is None
    assert world.status("small") is ArchiveStatus.REQUESTING
    assert notify(world, world.glacier.finish("job-1")) == []
    assert world.status("small") is ArchiveStatus.STAGED
    world.drain()
    assert world.copied("small") == SMALL


def test_a_failed_job_fails_its_archive_with_glaciers_words() -> None:
    world = World({"small": SMALL})
    world.ask()
    assert notify(world, world.glacier.finish("job-1", failure="the tape is torn")) == []
    assert "the tape is torn" in (world.record("small").failure or "")


def test_a_failed_job_that_is_not_the_present_one_changes_nothing() -> None:
    world = staged(small=SMALL)
    old = json.dumps({**json.loads(world.glacier.finish("job-1", failure="late")), "JobId": "job-0"})
    assert notify(world, old) == []
    assert world.status("small") is ArchiveStatus.STAGED


def died_after_asking() -> World:
    """The function died between job-1 and its record, and nobody has tried the batch again yet."""
    world = World({"small": SMALL})
    world.fuse.arm(8, after=False)
    assert world.ask() is None
    assert world.status("small") is ArchiveStatus.REQUESTING
    assert len(world.glacier.asked) == 1
    return world


@pytest.mark.holds(2)
def test_the_failure_of_a_job_that_nobody_wrote_down_does_not_fail_an_archive_that_is_asked_for_again() -> None:
    world = died_after_asking()
    failure = world.glacier.finish("job-1", failure="the tape is torn")
    assert notify(world, failure) == ["0"], "nobody knows yet whether it is of the job that counts"
    assert world.status("small") is ArchiveStatus.REQUESTING
    world.ask()
    assert notify(world, failure) == []
    assert world.status("small") is ArchiveStatus.REQUESTED
    world.drain()
    assert world.copied("small") == SMALL
    world.assert_what_must_always_hold()


@pytest.mark.holds(2)
def test_the_failure_of_a_job_that_beats_our_own_write_counts_when_that_is_made() -> None:
    world = World({"small": SMALL})
    failures: list[list[str]] = []

    def fail() -> None:
        failures.append(notify(world, world.glacier.finish("job-1", failure="the tape is torn")))

    world.fuse.arm(8, after=False, meanwhile=fail)
    world.ask()
    assert failures == [["0"]]
    fail()
    assert failures == [["0"], []]
    assert "the tape is torn" in (world.record("small").failure or "")


def test_an_archive_that_was_asked_for_twice_goes_on_with_the_job_that_is_ready_first() -> None:
    world = died_after_asking()
    world.ask()
    assert world.record("small").job_id == "job-2"
    assert notify(world, world.glacier.finish("job-1")) == []
    assert world.record("small").job_id == "job-1"
    assert notify(world, world.glacier.finish("job-2", failure="the tape is torn")) == []
    world.drain()
    assert world.copied("small") == SMALL
    world.assert_what_must_always_hold()


def test_a_batch_tried_again_does_not_ask_for_an_archive_whose_first_job_is_ready_by_then() -> None:
    world = died_after_asking()
    assert notify(world, world.glacier.finish("job-1")) == []
    world.ask()
    world.drain()
    assert len(world.glacier.asked) == 1
    assert world.copied("small") == SMALL


def test_a_job_whose_window_has_closed_before_the_batch_was_tried_again_is_of_no_use() -> None:
    world = died_after_asking()
    ready = world.glacier.finish("job-1")
    world.clock.advance(25 * 3600)
    assert notify(world, ready) == []
    assert world.status("small") is ArchiveStatus.REQUESTING
    world.ask()
    world.drain()
    assert len(world.glacier.asked) == 2
    assert world.copied("small") == SMALL


def test_messages_the_queue_did_not_take_bring_the_notification_again() -> None:
    world = World({"small": SMALL, "byte": b"1"})
    world.ask()
    world.chunks.source.refuse_next = 1
    assert notify(world, world.glacier.finish("job-1"), world.glacier.finish("job-2")) == ["0"]
    assert notify(world, world.glacier.finish("job-1")) == []
    world.drain()
    world.assert_what_must_always_hold()


def test_a_notification_after_the_copy_changes_nothing() -> None:
    world = staged(small=SMALL)
    world.drain()
    assert notify(world, world.glacier.finish("job-1")) == []
    assert world.chunks.fill() == []
    assert world.status("small") is ArchiveStatus.DOWNLOADED


def test_a_late_notification_of_a_superseded_job_does_not_stage_its_expired_output() -> None:
    world = staged(small=SMALL)
    world.clock.advance(25 * 3600)
    world.deliver(world.chunks)
    world.extend()
    assert world.status("small") is ArchiveStatus.REQUESTED
    assert notify(world, world.glacier.finish("job-1")) == []
    assert world.status("small") is ArchiveStatus.REQUESTED


def test_an_inventory_that_is_ready_is_handed_to_whoever_waits() -> None:
    world = World({})
    body = {
        "Action": "InventoryRetrieval",
        "JobId": "inventory-job",
        "StatusCode": "Succeeded",
        "StatusMessage": "Succeeded",
        "InventorySizeInBytes": 1234,
        "JobDescription": RUN,
    }
    assert notify(world, json.dumps(body)) == []
    result = JobResult(job_id="inventory-job", succeeded=True, message="Succeeded", size=1234)
    assert world.facilitator.results == {"inventory-job": result}


# chunks


def test_an_archive_of_one_chunk_takes_one_download_and_one_put() -> None:
    world = staged(small=SMALL)
    before = world.fuse.calls
    world.deliver(world.chunks)
    assert world.fuse.calls - before == 3  # open_output, put, complete
    assert world.status("small") is ArchiveStatus.DOWNLOADED
    assert world.objects.uploads == {}
    assert world.validations.fill() == []


def test_a_further_chunk_takes_four_calls_and_no_more() -> None:
    world = staged(large=LARGE)
    before = world.fuse.calls
    world.deliver(world.chunks)
    assert world.fuse.calls - before == 4  # open_output, upload_part, store_part, count_part


@pytest.mark.parametrize("fault", ["cut_next", "corrupt_next"])
@pytest.mark.parametrize("name", ["small", "large"])
@pytest.mark.holds(1)
def test_a_body_that_is_short_or_wrong_is_read_again_and_never_stored(name: str, fault: str) -> None:
    world = staged(**{name: {"small": SMALL, "large": LARGE}[name]})
    setattr(world.glacier, fault, 1)
    world.deliver(world.chunks)
    assert world.objects.objects == {}
    assert all(not upload.parts for upload in world.objects.uploads.values())
    world.drain()
    world.assert_what_must_always_hold()


@pytest.mark.holds(4)
def test_another_object_under_the_key_is_not_overwritten_and_the_collision_is_explained() -> None:
    world = staged(small=SMALL)
    other = staged(small=b"something else")
    other.drain()
    world.objects.objects.update(other.objects.objects)
    world.drain()
    assert world.copied("small") == b"something else"
    record = world.record("small")
    assert record.status is ArchiveStatus.FAILED
    assert "another object under the key 'run-1/small.bin'" in (record.failure or "")


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({keys.METADATA_ARCHIVE_ID: "another"}, "archive id in its metadata is 'another'"),
        ({}, "archive id in its metadata is None"),
        (None, "size is 1999"),
    ],
    ids=["the same bytes of another archive", "the same bytes of nobody knows what", "the same archive, cut"],
)
@pytest.mark.holds(4)
def test_an_object_that_is_there_already_is_a_success_only_if_it_is_this_archive(
    metadata: dict[str, str] | None, why: str
) -> None:
    world, other = staged(small=SMALL), staged(small=SMALL)
    other.drain()
    [kept] = other.objects.objects.values()
    world.objects.objects[f"{RUN}/small.bin"] = kept
    world.drain()
    assert world.status("small") is ArchiveStatus.DOWNLOADED

    stored = replace(kept.stored, size=1999) if metadata is None else replace(kept.stored, metadata=metadata)
    world = staged(small=SMALL)
    world.objects.objects[f"{RUN}/small.bin"] = replace(kept, stored=stored)
    world.drain()
    assert world.status("small") is ArchiveStatus.FAILED
    assert why in (world.record("small").failure or "")


@pytest.mark.holds(4)
def test_a_put_whose_answer_was_lost_is_proven_by_the_object() -> None:
    world = staged(small=SMALL)
    world.fuse.arm(2, after=True)
    world.deliver(world.chunks)
    assert world.copied("small") == SMALL
    assert world.status("small") is ArchiveStatus.STAGED
    world.drain()
    assert world.status("small") is ArchiveStatus.DOWNLOADED


def test_a_chunk_uses_the_newest_job_when_its_own_has_expired() -> None:
    world = staged(small=SMALL)
    world.clock.advance(23 * 3600)
    job = world.glacier.request_archive(
        vault="v", archive_id=world.record("small").archive_id, tier=world.record("small").tier, run=RUN
    )
    notify(world, world.glacier.finish(job))
    world.clock.advance(2 * 3600)
    world.deliver(world.chunks)
    assert world.status("small") is ArchiveStatus.DOWNLOADED


@pytest.mark.parametrize("name", ["small", "large"])
def test_a_throttled_download_is_waited_out_for_seconds_and_comes_again_for_hours(name: str) -> None:
    world = staged(**{name: {"small": SMALL, "large": LARGE}[name]})
    world.glacier.throttle_next = 6
    world.deliver(world.chunks)
    assert not world.glacier.throttle_next
    assert not [message for message in world.chunks.messages if message.deliveries]
    world.drain()
    assert world.status(name) is ArchiveStatus.DOWNLOADED

    world = staged(**{name: {"small": SMALL, "large": LARGE}[name]})
    world.glacier.throttle_until = world.clock.now() + timedelta(hours=4)
    message = world.chunks.messages[0]
    while message in world.chunks.messages:
        before = world.clock.monotonic()
        world.deliver(world.chunks)
        assert world.clock.monotonic() - before < 16
        world.clock.advance(redelivery_delay(message.deliveries))
    world.drain()
    assert world.status(name) is ArchiveStatus.DOWNLOADED


def test_an_archive_deleted_before_it_could_be_asked_for_again_is_failed() -> None:
    world = staged(small=SMALL)
    world.clock.advance(25 * 3600)
    world.glacier.archives.clear()
    world.deliver(world.chunks)
    world.extend()
    assert "window closed and Glacier refused" in (world.record("small").failure or "")


@pytest.mark.parametrize("name", ["small", "large"])
def test_a_chunk_that_finds_its_window_closed_asks_for_nothing_and_leaves_it_to_the_rule(name: str) -> None:
    world = staged(**{name: {"small": SMALL, "large": LARGE}[name]})
    world.clock.advance(25 * 3600)
    while world.chunks.messages:
        world.deliver(world.chunks)
    assert len(world.glacier.asked) == 1
    assert world.status(name) is ArchiveStatus.STAGED
    assert world.extend() == Extended(extended=0, requested_again=1)
    world.drain()
    assert world.status(name) is ArchiveStatus.DOWNLOADED
    assert len(world.glacier.asked) == 2


def test_a_window_that_glacier_closed_long_before_its_time_is_asked_for_again_at_the_next_tick() -> None:
    world = staged(small=SMALL)
    world.clock.advance(3600)
    world.glacier.forget()
    world.deliver(world.chunks)
    assert world.record("small").window_end == world.clock.now()
    assert world.extend() == Extended(extended=0, requested_again=1)
    world.drain()
    assert world.status("small") is ArchiveStatus.DOWNLOADED


def test_a_chunk_that_finds_its_window_closed_while_an_extension_is_under_way_waits_for_that() -> None:
    world = staged(small=SMALL)
    world.clock.advance(20 * 3600)
    assert world.extend() == Extended(extended=1, requested_again=0)
    world.clock.advance(5 * 3600)
    world.deliver(world.chunks)
    assert world.extend() == Extended(extended=0, requested_again=0)
    world.drain()
    assert world.status("small") is ArchiveStatus.DOWNLOADED
    assert len(world.glacier.asked) == 2


def test_an_upload_aborted_by_somebody_else_fails_the_archive() -> None:
    world = staged(large=LARGE)
    world.objects.uploads.clear()
    world.deliver(world.chunks)
    assert "was aborted by somebody else" in (world.record("large").failure or "")


def test_a_chunk_of_ten_thousand_is_planned_and_fits_a_message() -> None:
    message = builders.chunk_message(archive(size=10_000 * MIB, description="d" * 1024), chunk_size=MIB, part=10_000)
    assert ChunkMessage.parse(message.dump()) == message
    assert len(message.dump().encode()) < 4096


# validation


def validated(world: World) -> None:
    """Everything up to the validation."""
    for _ in list(world.chunks.messages):
        world.deliver(world.chunks)
    assert len(world.validations.fill()) == 1


@pytest.mark.holds(1)
def test_parts_that_are_not_the_inventorys_archive_are_never_completed() -> None:
    world = World({"large": LARGE})
    world.archives["large"] = replace(world.archives["large"], tree_hash=tree_hash(b"something else"))
    world.ask()
    world.drain()
    assert world.objects.objects == {}
    assert world.objects.uploads == {}
    assert "the inventory says" in (world.record("large").failure or "")


@pytest.mark.parametrize("at", [3, 4])
@pytest.mark.holds(3)
def test_retrying_after_a_successful_complete_ends_in_downloaded(at: int) -> None:
    world = staged(large=LARGE)
    validated(world)
    world.fuse.arm(at, after=at == 3)
    world.deliver(world.validations)
    assert world.status("large") is ArchiveStatus.STAGED
    assert world.copied("large") == LARGE
    world.drain()
    assert world.status("large") is ArchiveStatus.DOWNLOADED


@pytest.mark.holds(3)
def test_a_chunk_that_was_stored_twice_under_another_etag_is_completed_with_what_is_there() -> None:
    world = staged(large=LARGE)
    again = [message.body for message in world.chunks.messages]
    validated(world)
    world.chunks.source.bodies += again[1:]  # each as if for the first time
    for _ in again[1:]:
        world.deliver(world.chunks)
    world.drain()
    world.assert_what_must_always_hold()
    assert world.status("large") is ArchiveStatus.DOWNLOADED


@pytest.mark.holds(1)
def test_a_part_that_somebody_else_has_replaced_is_never_completed() -> None:
    world = staged(large=LARGE)
    validated(world)
    [upload] = world.objects.uploads.values()
    upload.parts[1], upload.etags[1] = b"something else", "other"
    world.drain()
    assert world.objects.objects == {}
    assert "ChecksumMismatch: part 1 is stored as" in (world.record("large").failure or "")


def test_an_upload_that_vanished_before_completion_is_explained() -> None:
    world = staged(large=LARGE)
    validated(world)
    world.objects.uploads.clear()
    world.deliver(world.validations)
    assert "vanished before it was complete" in (world.record("large").failure or "")


def test_a_validation_that_came_early_is_dropped() -> None:
    world = staged(large=LARGE)
    world.validate(ValidationMessage(run=RUN, archive_id=world.record("large").archive_id))
    assert world.status("large") is ArchiveStatus.STAGED
    world.drain()
    world.assert_what_must_always_hold()


@pytest.mark.holds(4)
def test_a_collision_at_completion_aborts_the_upload_and_fails_the_archive() -> None:
    world = staged(large=LARGE)
    validated(world)
    key = f"{RUN}/large.bin"
    other = World({"x": b"y"})
    other.ask()
    other.drain()
    world.objects.objects[key] = other.objects.objects[f"{RUN}/x.bin"]
    world.deliver(world.validations)
    assert "nothing is overwritten" in (world.record("large").failure or "")
    assert world.objects.uploads == {}


class Fleeting(InMemoryObjectStore):
    """Has an object under the key at the one moment in which an upload is to be completed."""

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:  # noqa: ARG002
        raise ObjectExists("At least one of the pre-conditions you specified did not hold")


@pytest.mark.holds(2)
def test_an_object_that_was_in_the_way_for_a_moment_delays_an_archive_and_does_not_fail_it() -> None:
    world = staged(large=LARGE)
    validated(world)
    validate = world.validate
    fleeting = Fleeting()
    fleeting.uploads = world.objects.uploads
    world.validate = ValidateArchive(records=world.records, objects=fleeting, clock=world.clock)
    world.deliver(world.validations)
    assert world.status("large") is ArchiveStatus.STAGED
    world.validate = validate
    world.drain()
    assert world.copied("large") == LARGE
    world.assert_what_must_always_hold()


@pytest.mark.parametrize("failure", [None, "the tape is torn"])
@pytest.mark.parametrize("status", [ArchiveStatus.DOWNLOADED, ArchiveStatus.FAILED, ArchiveStatus.STOPPED])
def test_a_notification_for_an_archive_that_has_ended_changes_nothing_and_is_done(
    status: ArchiveStatus, failure: str | None
) -> None:
    world = staged(small=SMALL)
    if status is ArchiveStatus.DOWNLOADED:
        world.drain()
    elif status is ArchiveStatus.FAILED:
        world.records.fail(RUN, world.record("small").archive_id, reason="its key is taken")
    else:
        world.end()
    before = world.record("small")
    assert before.status is status
    world.lose(world.chunks)
    assert notify(world, world.glacier.finish("job-1", failure=failure)) == []
    assert world.record("small") == before
    assert world.chunks.fill() == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda notice: {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:other", "Message": str(notice)},
        lambda notice: {**notice, "JobDescription": "run-of-somebody-else"},
        lambda notice: {**notice, "CompletionDate": "yesterday"},
        lambda notice: {**notice, "JobId": None},
        lambda notice: {**notice, "ArchiveId": None},
        lambda notice: {**notice, "StatusCode": 200},
    ],
    ids=["an envelope", "an unknown run", "no time", "no job", "no archive", "a code of another kind"],
)
def test_a_notification_that_is_not_ours_changes_nothing_alive_or_dead(
    spoil: Callable[[dict[str, object]], dict[str, object]],
) -> None:
    world = World({"small": SMALL})
    world.ask()
    letter = json.dumps(spoil(json.loads(world.glacier.finish("job-1"))))
    before = world.record("small")
    assert notify(world, letter) == ["0"]
    if "yesterday" not in letter:  # that one is of our archive and job
        world.bury(letter, attempts=5)
    assert world.record("small") == before
    assert world.chunks.fill() == []
    assert len(world.records.records) == 1


# dead letters


def test_a_dead_letter_of_an_archive_that_arrived_after_all_changes_nothing() -> None:
    world = staged(small=SMALL)
    letter = world.chunks.messages[0].body
    world.drain()
    world.bury(letter, attempts=5)
    assert world.status("small") is ArchiveStatus.DOWNLOADED


@pytest.mark.parametrize("letter", ["junk", "{}", '{"run": "run-1", "archive_id": "unknown"}', "[1]"])
def test_a_letter_that_belongs_to_nobody_is_dropped(letter: str) -> None:
    World({}).bury(letter, attempts=5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
LETTERS = (
    {
        "Action": "ArchiveRetrieval",
        "ArchiveId": "a",
        "JobId": "job",
        "JobDescription": RUN,
        "StatusCode": "Succeeded",
        "CompletionDate": "2025-01-01T00:00:00.000Z",
        "ArchiveSizeInBytes": 1,
    },
    {"run": RUN, "archive_id": "a"},
    json.loads(builders.chunk_message(archive(), job_id="job").dump()),
)


class Keys(InMemoryTransferRecords):
    """Refuses what DynamoDB would not take as a key."""

    def load(self, run: str, archive_id: str) -> ArchiveRecord | None:
        assert len(archive_pk(run, archive_id).encode()) <= 2048
        return super().load(run, archive_id)

    def problem(self, run: str, archive_id: str) -> str | None:
        assert len(archive_pk(run, archive_id).encode()) <= 2048
        return super().problem(run, archive_id)


@settings(deadline=None)
@given(letter=st.sampled_from(LETTERS), data=st.data())
def test_junk_is_refused_by_whoever_reads_it_and_then_dropped(letter: dict[str, object], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(letter)))
    spoilt = {**letter, field: data.draw(JSON | st.sampled_from(["x" * 3000, "é", "\ud800"]))}
    world = World({})
    assert notify(world, json.dumps(spoilt)) in ([], ["0"])
    for parse in (ChunkMessage.parse, ValidationMessage.parse, GlacierNotification.parse):
        with contextlib.suppress(InvalidInput):
            parse(json.dumps(spoilt))
    BuryMessage(records=Keys())(json.dumps(spoilt), attempts=5)


@pytest.mark.parametrize("letter", ["[" * 100_000, '{"run": ' * 100_000])
def test_junk_that_no_parser_survives_is_junk(letter: str) -> None:
    world = World({})
    assert notify(world, letter) == ["0"]
    world.bury(letter, attempts=5)


def test_a_dead_notification_says_what_went_wrong_with_it() -> None:
    world = World({"small": SMALL})
    world.ask()
    letter = json.dumps({**json.loads(world.glacier.finish("job-1")), "CompletionDate": "yesterday"})
    notify(world, letter)
    world.bury(letter, attempts=5)
    assert "gave up after 5 attempts: InvalidInput: 'yesterday' is not a time" in (world.record("small").failure or "")


def test_a_notification_whose_messages_no_queue_takes_says_so_when_it_is_given_up() -> None:
    world = World({"small": SMALL})
    world.ask()
    letter = world.glacier.finish("job-1")
    world.chunks.source.refuse_next = 1
    assert notify(world, letter) == ["0"]
    world.bury(letter, attempts=5)
    assert "the queue of chunks did not take the messages" in (world.record("small").failure or "")


def test_a_dead_notification_fails_its_archive() -> None:
    world = World({"small": SMALL})
    world.ask()
    world.bury(world.glacier.finish("job-1"), attempts=5)
    assert (world.record("small").failure or "").startswith("gave up after 5 attempts: the function ended without")


@pytest.mark.parametrize("failure", [None, "the tape is torn"])
def test_a_dead_notification_of_another_job_is_a_leftover(failure: str | None) -> None:
    world = died_after_asking()
    letter = world.glacier.finish("job-1", failure=failure)
    world.bury(letter, attempts=5)
    assert world.status("small") is ArchiveStatus.REQUESTING
    world.ask()
    world.bury(letter, attempts=5)
    assert world.status("small") is ArchiveStatus.REQUESTED
    world.drain()
    assert world.copied("small") == SMALL


@pytest.mark.parametrize("name", ["small", "large"])
def test_a_dead_chunk_of_the_attempt_before_does_not_fail_what_the_present_one_copies(name: str) -> None:
    world = staged(**{name: {"small": SMALL, "large": LARGE}[name]})
    letter = world.chunks.messages[0].body
    world.lose(world.chunks)
    world.resume()
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.bury(letter, attempts=5)
    assert world.status(name) is ArchiveStatus.STAGED
    world.drain()
    assert world.status(name) is ArchiveStatus.DOWNLOADED


@pytest.mark.holds(2)
@pytest.mark.parametrize("name", ["small", "large"])
def test_a_dead_chunk_fails_its_archive_even_if_its_window_was_extended_meanwhile(name: str) -> None:
    """Else an archive whose messages take longer to die than a window lasts would never end."""
    world = staged(**{name: {"small": SMALL, "large": LARGE}[name]})
    letter = world.chunks.messages[0].body
    world.clock.advance(20 * 3600)
    world.extend()
    world.finish_jobs()
    world.deliver(world.notifications)
    assert world.record(name).job_id == "job-2"
    world.bury(letter, attempts=5)
    assert world.status(name) is ArchiveStatus.FAILED


def test_a_dead_validation_of_an_older_upload_does_not_touch_the_present_one() -> None:
    world = staged(large=LARGE)
    archive_id = world.record("large").archive_id
    world.bury(ValidationMessage(run=RUN, archive_id=archive_id, upload_id="older").dump(), attempts=5)
    assert world.status("large") is ArchiveStatus.STAGED
    validated(world)
    world.bury(world.validations.messages[0].body, attempts=5)
    assert world.status("large") is ArchiveStatus.FAILED


def test_a_dead_letter_of_an_earlier_attempt_does_not_touch_the_present_one() -> None:
    world = staged(large=LARGE)
    letter = replace(ChunkMessage.parse(world.chunks.messages[0].body), upload_id="older")
    world.bury(letter.dump(), attempts=5)
    assert world.status("large") is ArchiveStatus.STAGED


# waiting tasks


def test_a_task_is_answered_when_both_sides_are_there() -> None:
    gate = InMemoryGate("token")
    answer = AnswerTask(gate=gate)
    result = JobResult(job_id="job", succeeded=True, message="done", size=3)
    answer(task_token="token", job_result=None)
    answer(task_token=None, job_result=result.dump())
    assert gate.waiting == {"token"}
    answer(task_token="token", job_result=result.dump())
    answer(task_token="token", job_result=result.dump())
    assert gate.succeeded == {"token": result.dump()}


def test_a_failed_job_fails_the_task_by_name() -> None:
    gate = InMemoryGate("token")
    result = JobResult(job_id="job", succeeded=False, message="the tape is torn")
    AnswerTask(gate=gate)(task_token="token", job_result=result.dump())
    assert gate.failed == {"token": ("GlacierJobError", "the tape is torn")}


# the end of a run

STALL = timedelta(hours=48)
JOB = completion_job_id(RUN, "run-1-1")


class Ending:
    """A run of two archives as CompletionChecker sees it."""

    def __init__(self, **counts: int) -> None:
        self.clock = ManualClock()
        self.counters = InMemoryCounters()
        self.facilitator = InMemoryFacilitator()
        self.check = CheckCompletion(
            counters=self.counters, facilitator=self.facilitator, clock=self.clock, stall=STALL
        )
        self.move(total=2, **counts)

    def move(self, **counts: int) -> None:
        """Counters go up."""
        self.counters.add(RUN, Tally(archives={Metric(name): count for name, count in counts.items()}))

    def look(self, execution: str = "run-1-1") -> Completion:
        """The rule ticks."""
        return self.check(run=RUN, execution_name=execution)


def test_a_run_whose_archives_have_all_ended_is_released() -> None:
    ending = Ending(downloaded=1, failed=1)
    assert ending.look() is Completion.COMPLETE
    assert ending.look() is Completion.COMPLETE
    assert ending.facilitator.results[JOB].succeeded
    assert ending.facilitator.results[JOB].message == "1 of 2 archives copied, 1 failed"


@pytest.mark.holds(2)
def test_a_released_run_that_still_waits_is_answered_again_at_each_look() -> None:
    ending = Ending(downloaded=2)
    ending.look()
    assert ending.facilitator.reminders == []
    ending.look()
    ending.look()
    assert ending.facilitator.reminders == [JOB, JOB]


@pytest.mark.holds(2)
def test_a_stalled_run_that_still_waits_is_answered_again_too() -> None:
    ending = Ending(downloaded=1)
    ending.look()
    ending.clock.advance(49 * 3600)
    assert [ending.look(), ending.look()] == [Completion.STALLED] * 2
    assert ending.facilitator.reminders == [JOB]


def test_an_empty_run_is_complete() -> None:
    ending = Ending()
    ending.move(total=-2)
    assert ending.look() is Completion.COMPLETE


def test_a_run_that_moves_is_never_given_up() -> None:
    ending = Ending()
    for _ in range(5):
        assert ending.look() is Completion.MOVING
        ending.clock.advance(47 * 3600)
        ending.move(staged=1)
    assert ending.facilitator.results == {}


@pytest.mark.holds(2)
def test_a_run_that_stands_still_ends_and_says_how_many_are_missing() -> None:
    ending = Ending(downloaded=1)
    assert ending.look() is Completion.MOVING
    ending.clock.advance(49 * 3600)
    assert ending.look() is Completion.STALLED
    result = ending.facilitator.results[JOB]
    assert not result.succeeded
    assert result.message.startswith("1 of 2 archives are missing and nothing has moved since 2025-03-01 12:00:00 UTC")


def test_a_resume_starts_with_a_fresh_pulse() -> None:
    ending = Ending(downloaded=1)
    ending.look()
    ending.clock.advance(49 * 3600)
    assert ending.look("run-1-2") is Completion.MOVING


# metadata


@given(st.text(max_size=1024))
def test_a_description_survives_the_journey_in_an_ascii_header(description: str) -> None:
    encoded = encode_description(description)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert str(make_header(decode_header(encoded))) == description if description else encoded == ""


@given(st.text(min_size=1, max_size=1024, alphabet=st.characters(codec="utf-8")))
def test_metadata_always_fit_what_s3_takes(description: str) -> None:
    metadata = object_metadata(archive(description=description))
    assert sum(len(name) + len(value) for name, value in metadata.items()) <= MAX_METADATA_BYTES
    assert metadata[keys.METADATA_ARCHIVE_ID] == archive().archive_id


def test_a_description_that_is_too_long_is_cut_and_says_so() -> None:
    metadata = object_metadata(archive(description="ü" * 1024))
    shown = str(make_header(decode_header(metadata[keys.METADATA_DESCRIPTION])))
    assert shown.endswith(" [shortened from 1024 characters]")
    assert shown.startswith("üüü")


def test_an_ascii_description_is_itself() -> None:
    assert object_metadata(archive(description="holiday, 2019"))[keys.METADATA_DESCRIPTION] == "holiday, 2019"
    assert keys.METADATA_DESCRIPTION not in object_metadata(archive(description=""))


def test_a_queue_that_refuses_the_validation_brings_the_chunk_again() -> None:
    world = staged(large=LARGE)
    world.validations.source.refuse_next = 1
    for _ in range(3):
        world.deliver(world.chunks)
    assert len(world.chunks.messages) == 1
    world.drain()
    world.assert_what_must_always_hold()
