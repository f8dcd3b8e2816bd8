"""Runs whose inventory is empty, cannot be had, holds what S3 cannot, or is the operator's own: from the launch to what
the operator reads.

All are launched at once, for each waits more than it does.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from solution.cli.main import app
from solution.cli.runs import Count, RunState, read_text
from solution.contract import object_keys, tables
from solution.domain.archive import MAX_OBJECT_BYTES
from solution.domain.naming import MAX_KEY_BYTES
from solution.domain.status import Metric
from solution.domain.tree_hash import tree_hash
from solution.mocking.vaults.virtual import Pattern, VirtualVault
from tests.local.deployed import Solution
from tests.local.support import unique, until
from tests.local.truth import assert_tidy, manifest, rows, stored, when_ended

HEADER = ",".join(object_keys.INVENTORY_COLUMNS)
CONTENTS = {"a, b.txt": b"one", 'called "c".txt': b"two", "größer.txt": b"three"}
OUTSIZE = VirtualVault(
    seed="outsize", archive_count=5, sizes=(3, MAX_OBJECT_BYTES + 1, 5, 40 * 10**12, 7), pattern=Pattern.REPEATED
)
"""Two archives that are larger than an S3 object may be, among small ones; Glacier takes up to 40 TB."""
DENIED = {"status": 403, "code": "AccessDeniedException", "message": "the vault is not yours to read"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A run that has ended, and the notice of its end."""

    state: RunState
    notice: Mapping[str, str]


class Desk:
    """Launches runs as an operator does, and hears what operators are told."""

    def __init__(self, solution: Solution) -> None:
        self.solution = solution
        self.runs: dict[str, str] = {}
        self.archives: Mapping[str, str] = {}
        self._told: dict[str, Mapping[str, str]] = {}
        sqs = solution.client("sqs")
        self._queue = sqs.create_queue(QueueName=unique("operator"))["QueueUrl"]
        [arn] = sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"].values()
        topic = solution.target.output("RunNotificationsTopicArn")
        deliver = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}],
        }
        sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": json.dumps(deliver)})
        solution.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def command(self, *words: str) -> tuple[int, str]:
        """Exit code and words of a command, in one line."""
        answer = CliRunner().invoke(app, [*words, "--state-dir", str(self.solution.state_dir)])
        # what a command raises, its caller prints
        return answer.exit_code, " ".join(f"{answer.output} {answer.exception or ''}".split())

    def put(self, key: str, body: bytes) -> str:
        """Write into the inventory bucket; a presigned URL of the object."""
        s3, place = (
            self.solution.client("s3"),
            {"Bucket": self.solution.target.output("InventoryBucketName"), "Key": key},
        )
        s3.put_object(**place, Body=body)
        return str(s3.generate_presigned_url("get_object", Params=place))

    def launch(
        self, name: str, vault: str, files: Mapping[str, bytes] | None = None, names: bytes = b"", url: str = ""
    ) -> None:
        """Launch a run, with an inventory of the operator's own if there are files, which go where the guide says."""
        run = self.runs[name] = unique(name)
        self.provide(name, files or {})
        own = [] if files is None else ["--provided-inventory"]
        if names or url:
            own += ["--naming-override", url or self.put(f"names/{run}.csv", names)]
        code, said = self.command("launch", vault, "--run", run, "--storage-class", "STANDARD", *own)
        assert code == 0, said

    def provide(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put an inventory of the operator's own where the guide says."""
        for file, body in files.items():
            self.put(f"{self.runs[name]}/{object_keys.ORIGINAL_INVENTORY}/{file}", body)

    def resume(self, name: str, *words: str) -> None:
        """Resume a run that has ended."""
        run = self.runs[name]
        before = self._execution(run)
        del self._told[run]
        code, said = self.command("resume", run, *words)
        assert code == 0, said
        until(lambda: self._execution(run) != before, timeout=120)

    def refuse_output(self, vault: str) -> None:
        """Let Glacier refuse to give the output of the vault's jobs."""
        self._mock("POST", "faults", {"kind": "error", "vault_name": vault, "operation": "GetJobOutput", **DENIED})

    def well_again(self) -> None:
        """Let Glacier refuse nothing any more."""
        self._mock("DELETE", "faults")

    def describe(self, vault: VirtualVault) -> str:
        """A new vault of archives that are computed, not stored; its name."""
        name = unique("vault")
        self._mock("PUT", f"vaults/{name}", {"virtual": vault.to_json()})
        return name

    def _mock(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> None:
        request = urllib.request.Request(  # noqa: S310 - the local AWS
            f"{self.solution.environment['AWS_ENDPOINT_URL']}/_mock/{path}",
            data=None if document is None else json.dumps(document).encode(),
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            pass

    def ended(self, name: str) -> Told:
        """The run when it has ended and its notice has come."""
        run = self.runs[name]
        state = when_ended(self.solution, run, until(lambda: self._execution(run), timeout=60))
        return Told(state=state, notice=until(lambda: self._notice(run), timeout=60))

    def _execution(self, run: str) -> str:
        item = self.solution.client("dynamodb").get_item(
            TableName=self.solution.target.output("GlacierRetrievalTableName"),
            Key={tables.PK: {"S": run}, tables.SK: {"S": tables.META}},
        )
        return str(item["Item"][tables.Run.EXECUTION_ARN]["S"]) if "Item" in item else ""

    def _notice(self, run: str) -> Mapping[str, str] | None:
        sqs = self.solution.client("sqs")
        for message in sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", []):
            body = json.loads(message["Body"])
            self._told[body["Subject"].split()[2].rstrip(":")] = body
            sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return self._told.get(run)


def listed(archives: Mapping[str, str], quoted: Callable[[str], str]) -> list[str]:
    """Rows of an inventory with these archives, by description."""
    return [
        f'{archives[name]},"{quoted(name)}",2019-02-03T04:05:06Z,{len(body)},{tree_hash(body)}'
        for name, body in CONTENTS.items()
    ]


def uploaded(solution: Solution, vault: str) -> dict[str, str]:
    """A new vault with `CONTENTS`: ids of the archives by description."""
    glacier = solution.client("glacier")
    glacier.create_vault(accountId="-", vaultName=vault)
    return {
        name: glacier.upload_archive(accountId="-", vaultName=vault, archiveDescription=ascii(name), body=body)[
            "archiveId"
        ]
        for name, body in CONTENTS.items()
    }


@pytest.fixture(scope="module")
def desk(solution: Solution) -> Iterator[Desk]:
    """All runs of this file have been launched."""
    made, vault = Desk(solution), unique("vault")
    archives = made.archives = uploaded(solution, vault)
    rfc = listed(archives, lambda name: name.replace('"', '""'))
    glacier = listed(archives, lambda name: name.replace('"', r"\""))
    made.refuse_output(hidden := solution.fill({"hidden.txt": b"four"}))
    good = f"{HEADER}\n{glacier[0]}\n"
    made.launch("empty", solution.fill({}))
    made.launch("outsize", made.describe(OUTSIZE))
    made.launch("hidden", hidden)
    windows = "\r\n".join([HEADER, *rfc[1:], ""]).encode("utf-8-sig")
    files = {"glacier.csv": good.encode(), "saved by a spreadsheet.CSV": windows}
    names = f"GlacierArchiveID,FileName\n{archives['a, b.txt']},named/by me.txt\n{'x' * 138},nobody's\n"
    made.launch("own", vault, files, names.encode())
    made.launch("own-header", vault, {"mine.csv": f"{HEADER}\n".encode()})
    for name, files in {
        "no-byte": {"mine.csv": b""},
        "moved": {"mine.csv": good.replace("ArchiveId,ArchiveDescription", "ArchiveDescription,ArchiveId").encode()},
        "bad-rows": {"mine.csv": "\n".join([HEADER, rfc[0], rfc[1].replace("2019-", "19-"), "short,row"]).encode()},
        "latin": {"mine.csv": "\n".join([HEADER, *glacier]).encode("latin-1")},
        "wide": {"mine.csv": good.encode("utf-16")},
        "packed": {"mine.csv": good.encode(), "more.csv.gz": b"\x1f\x8b"},
    }.items():
        made.launch(name, vault, files)
    made.launch("no-names", vault, url=made.put("names/gone.csv", b"").replace("gone.csv", "was-never-there.csv"))
    made.launch("web-page", vault, names=b"<!DOCTYPE html><html><body>Sign in</body></html>")
    yield made
    made.solution.empty_queues()


REFUSED = {
    "no-byte": "mine.csv cannot be read: it is empty",
    "moved": "mine.csv, row 1: the header is 'ArchiveDescription,ArchiveId,",
    "bad-rows": "mine.csv, row 3: CreationDate '19-02-03T04:05:06Z' is not a time in ISO 8601",
    "latin": "mine.csv, row 4: not UTF-8, its byte",
    "wide": "mine.csv cannot be read: it is text in UTF-16: save it in UTF-8",
    "packed": "more.csv.gz is no .csv file and would be left out",
    "no-names": "check that the URL is right and, if it is presigned, that it has not expired",
    "web-page": "NamingOverrideFile begins with '<!DOCTYPE html",
}


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_an_inventory_that_is_none_ends_the_run_and_the_operator_reads_why(desk: Desk, name: str, reason: str) -> None:
    told = desk.ended(name)
    assert told.state.outcome is tables.RunStatus.FAILED
    assert reason in told.state.failure
    assert reason in told.notice["Message"]
    code, said = desk.command("watch", desk.runs[name])
    assert code != 0
    assert reason in said
    code, said = desk.command("report", desk.runs[name])
    assert reason in said


def test_a_launch_with_no_inventory_where_one_is_promised_is_refused(desk: Desk) -> None:
    vault = desk.solution.fill({})
    code, said = desk.command("launch", vault, "--run", unique("none"), "--provided-inventory")
    assert code != 0
    assert "ProvidedInventory 'YES': " in said
    assert "put the inventory there, or answer NO to have Glacier make one" in said


def test_all_bad_rows_are_told_at_once(desk: Desk) -> None:
    failure = desk.ended("bad-rows").state.failure
    assert "; row 4: found 2 columns, expected the 5 columns ArchiveId," in failure


def test_glacier_was_asked_nothing_for_inventories_that_are_none(desk: Desk) -> None:
    jobs = [name for name in REFUSED for _ in desk.solution.records(desk.runs[name])]
    assert jobs == []


def test_an_inventory_and_names_of_the_operators_own_are_taken_whatever_program_has_written_them(desk: Desk) -> None:
    told = desk.ended("own")
    assert told.state.failure == ""
    assert told.state.complete
    assert told.state.counts[Metric.TOTAL].archives == len(CONTENTS)
    run, named = desk.runs["own"], {"named/by me.txt": CONTENTS["a, b.txt"]}
    assert stored(desk.solution, run) == {**named, **{name: CONTENTS[name] for name in list(CONTENTS)[1:]}}
    [problem] = rows(desk.solution, f"{run}/{object_keys.REJECTED_ROWS}/override_problems.csv")
    assert (problem["FileName"], problem["Reason"]) == ("nobody's", "no archive of the inventory has this id")
    assert told.notice["Subject"] == f"Glacier transfer {run}: COMPLETED"


@pytest.mark.parametrize("name", ["empty", "own-header"])
def test_a_run_of_no_archives_ends_well_and_says_so(desk: Desk, name: str) -> None:
    told, run = desk.ended(name), desk.runs[name]
    assert told.state.failure == ""
    assert told.state.outcome is tables.RunStatus.COMPLETED
    assert {(count.archives, count.bytes) for count in told.state.counts.values()} == {(0, 0)}
    summary: Any = json.loads(read_text(desk.solution.target, object_keys.summary_json_key(run)) or "{}")
    assert (summary["outcome"], summary["differences"]) == ("COMPLETED", [])
    assert rows(desk.solution, object_keys.failed_archives_key(run)) == []
    assert manifest(desk.solution, run) == []
    assert stored(desk.solution, run) == {}
    assert_tidy(desk.solution, run)
    assert told.notice["Subject"] == f"Glacier transfer {run}: COMPLETED"
    for command in ("status", "watch", "report", "verify"):
        code, said = desk.command(command, run)
        assert code == 0, said


def test_archives_larger_than_an_object_are_counted_listed_and_left_alone(desk: Desk) -> None:
    told, run = desk.ended("outsize"), desk.runs["outsize"]
    large = [one for one in OUTSIZE.archives() if one.content.size > MAX_OBJECT_BYTES]
    small = {one.description: one for one in OUTSIZE.archives() if one.content.size <= MAX_OBJECT_BYTES}
    assert (len(large), len(small)) == (2, 3)
    copied = {name: b"".join(one.content.read(0, one.content.size)) for name, one in small.items()}
    assert stored(desk.solution, run) == copied
    assert {(row["ArchiveId"], row["Status"]) for row in manifest(desk.solution, run)} == {
        (one.archive_id, "downloaded") for one in small.values()
    }
    assert desk.solution.records(run).keys() == {one.archive_id for one in small.values()}

    listing = rows(desk.solution, object_keys.not_migrated_key(run))
    assert {row["ArchiveId"]: (int(row["Size"]), row["SHA256TreeHash"]) for row in listing} == {
        one.archive_id: (one.content.size, one.content.tree_hash()) for one in large
    }
    assert {row["Reason"] for row in listing} == {f"larger than {MAX_OBJECT_BYTES} bytes, the largest S3 object"}

    everything = Count(archives=5, bytes=OUTSIZE.total_size)
    left_out = Count(archives=2, bytes=sum(one.content.size for one in large))
    assert told.state.counts[Metric.TOTAL] == everything
    assert told.state.counts[Metric.SKIPPED] == left_out
    assert told.state.counts[Metric.REJECTED] == Count(archives=0, bytes=0)
    assert told.state.to_copy == told.state.counts[Metric.DOWNLOADED] == Count(archives=3, bytes=15)
    summary: Any = json.loads(read_text(desk.solution.target, object_keys.summary_json_key(run)) or "{}")
    assert summary["differences"] == []
    assert {name: summary["archives"][name] for name in ("total", "skipped", "rejected", "downloaded")} == {
        "total": 5,
        "skipped": 2,
        "rejected": 0,
        "downloaded": 3,
    }
    assert (summary["bytes"]["total"], summary["bytes"]["skipped"]) == (everything.bytes, left_out.bytes)


def test_a_run_that_had_to_leave_archives_out_does_not_say_that_all_is_copied(desk: Desk) -> None:
    told, run = desk.ended("outsize"), desk.runs["outsize"]
    assert told.state.outcome is tables.RunStatus.COMPLETED_WITH_FAILURES
    assert told.state.failure == ""
    assert told.notice["Subject"] == f"Glacier transfer {run}: COMPLETED_WITH_FAILURES"
    assert "Every archive that can be an S3 object was copied" in told.notice["Message"]
    report = read_text(desk.solution.target, object_keys.summary_key(run)) or ""
    assert f"{run}/{object_keys.NOT_MIGRATED}/" in report
    assert_tidy(desk.solution, run)


def test_an_inventory_that_glacier_does_not_give_leaves_no_upload_to_pay_for(desk: Desk) -> None:
    told, run = desk.ended("hidden"), desk.runs["hidden"]
    assert told.state.outcome is tables.RunStatus.FAILED
    assert "the vault is not yours to read" in told.state.failure
    uploads = desk.solution.client("s3").list_multipart_uploads(
        Bucket=desk.solution.target.output("InventoryBucketName"), Prefix=f"{run}/"
    )
    assert uploads.get("Uploads", []) == []


@pytest.fixture(scope="module")
def resumed(desk: Desk) -> Mapping[str, Told]:
    """What was wrong has been mended, as the words of the failure say, and the runs were resumed."""
    names = ("bad-rows", "hidden", "no-names")
    before = {name: desk.ended(name) for name in names}
    assert {told.state.outcome for told in before.values()} == {tables.RunStatus.FAILED}
    [archive_id] = [row[:138] for row in listed(desk.archives, lambda name: name) if "a, b.txt" in row]
    rfc = listed(desk.archives, lambda name: name.replace('"', '""'))
    desk.provide("bad-rows", {"mine.csv": "\n".join([HEADER, *rfc]).encode()})
    desk.resume("bad-rows")
    desk.well_again()
    desk.resume("hidden")
    code, said = desk.command("resume", desk.runs["no-names"])
    assert code != 0
    assert "give a URL of them that is still good" in said
    long = f"GlacierArchiveID,FileName\n{archive_id},{'deep/' * 400}end.tar.gz\n"
    desk.resume("no-names", "--naming-override", desk.put("names/good.csv", long.encode()))
    return {name: desk.ended(name) for name in names}


@pytest.mark.parametrize("name", ["bad-rows", "hidden", "no-names"])
def test_what_the_words_said_was_done_and_a_resume_copies_everything(
    desk: Desk, resumed: Mapping[str, Told], name: str
) -> None:
    told = resumed[name]
    assert told.state.failure == ""
    assert told.state.outcome is tables.RunStatus.COMPLETED
    copied = list(stored(desk.solution, desk.runs[name]).values())
    assert sorted(copied) == sorted([b"four"] if name == "hidden" else CONTENTS.values())
    assert told.notice["Subject"] == f"Glacier transfer {desk.runs[name]}: COMPLETED"


def test_a_name_that_is_too_long_is_shortened_and_keeps_its_extension(desk: Desk, resumed: Mapping[str, Told]) -> None:
    assert resumed["no-names"].state.complete
    [name] = [name for name in stored(desk.solution, desk.runs["no-names"]) if name.startswith("deep/")]
    assert name.endswith(".tar.gz")
    assert len(object_keys.destination_key(desk.runs["no-names"], name).encode()) <= MAX_KEY_BYTES
