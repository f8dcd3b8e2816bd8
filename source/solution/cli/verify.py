"""``verify``: whether every archive of a run is in the bucket, and is what it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer
from botocore.exceptions import ClientError
from rich.progress import Progress
from rich.table import Table

from solution.cli import options
from solution.cli.console import err, out, print_json, size_text
from solution.cli.failures import ExitCode
from solution.cli.runs import read_run, sorted_inventory
from solution.cli.target import Target, choose_target
from solution.contract import object_keys
from solution.domain.archive import Archive
from solution.domain.status import Metric
from solution.domain.tree_hash import TreeHasher

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_WORKERS: Final = 16
_IN_FLIGHT: Final = 256
_SHOWN: Final = 20
_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An archive whose object is missing, or is not what the inventory says."""

    archive_id: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was compared; ``bytes`` are the inventory's, ``differences`` is empty when all is well."""

    archives: int
    bytes: int
    differences: tuple[Difference, ...]


def verify_archives(
    target: Target, run: str, archives: Iterable[Archive], *, deep: bool, advance: Callable[[], None] = lambda: None
) -> Verification:
    """Compare each archive with its object in the destination bucket.

    Args:
        target: where the stack is deployed.
        run: the run's id.
        archives: the sorted inventory.
        deep: read every object and compute its tree hash; otherwise the object's size and recorded archive are checked.
        advance: called after each archive.
    """
    bucket = target.output("DestinationBucketName")
    check = _check_content if deep else _check_object
    count = size = 0
    differences: list[Difference] = []
    for archive, found in _in_parallel(archives, lambda archive: check(target, bucket, run, archive)):
        count += 1
        size += archive.size
        if found is not None:
            differences.append(found)
        advance()
    return Verification(archives=count, bytes=size, differences=tuple(differences))


def _in_parallel(
    archives: Iterable[Archive], check: Callable[[Archive], Difference | None]
) -> Iterator[tuple[Archive, Difference | None]]:
    """In order, a bounded number ahead: an inventory may hold a hundred million archives."""
    waiting: deque[tuple[Archive, Future[Difference | None]]] = deque()
    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        for archive in archives:
            waiting.append((archive, pool.submit(check, archive)))
            if len(waiting) >= _IN_FLIGHT:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _check_object(target: Target, bucket: str, run: str, archive: Archive) -> Difference | None:
    key = object_keys.destination_key(run, archive.file_name)
    try:
        head = target.s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"].get("Code") in ("404", "NoSuchKey", "NotFound"):
            return Difference(archive_id=archive.archive_id, key=key, reason="the object is missing")
        raise
    reason = _mismatch(head, archive)
    return Difference(archive_id=archive.archive_id, key=key, reason=reason) if reason else None


def _mismatch(head: HeadObjectOutputTypeDef, archive: Archive) -> str:
    metadata = head["Metadata"]
    if head["ContentLength"] != archive.size:
        return f"the object has {head['ContentLength']} bytes, the archive {archive.size}"
    if metadata.get(object_keys.METADATA_ARCHIVE_ID) != archive.archive_id:
        return f"the object is of archive {metadata.get(object_keys.METADATA_ARCHIVE_ID, '(none)')}"
    if metadata.get(object_keys.METADATA_TREE_HASH) != archive.tree_hash:
        return f"the object was copied with tree hash {metadata.get(object_keys.METADATA_TREE_HASH, '(none)')}"
    return ""


def _check_content(target: Target, bucket: str, run: str, archive: Archive) -> Difference | None:
    found = _check_object(target, bucket, run, archive)
    if found is not None:
        return found
    key = object_keys.destination_key(run, archive.file_name)
    try:
        body = target.s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"].get("Code") == "InvalidObjectState":
            reason = "the object's storage class must be restored before its bytes can be read"
            return Difference(archive_id=archive.archive_id, key=key, reason=reason)
        raise
    hasher = TreeHasher()
    with body:
        for piece in body.iter_chunks(_PIECE):
            hasher.update(piece)
    if hasher.hexdigest() == archive.tree_hash:
        return None
    reason = f"the object's bytes have tree hash {hasher.hexdigest()}, the archive's have {archive.tree_hash}"
    return Difference(archive_id=archive.archive_id, key=key, reason=reason)


def verify(
    *,
    run: options.RunId,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every object and recompute its tree hash (restored classes only).")
    ] = False,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
    stack: options.Stack = options.DEFAULT_STACK,
) -> None:
    """Check that every archive of a run is in the bucket; exit code 1 when one is missing or differs."""
    target = choose_target(local=local, state_dir=state_dir, profile=profile, region=region, stack=stack)
    state = read_run(target, run)
    with Progress(console=err, disable=as_json, transient=True) as progress:
        task = progress.add_task("Comparing", total=state.to_copy.archives or None)
        result = verify_archives(
            target, run, sorted_inventory(target, run), deep=deep, advance=lambda: progress.advance(task)
        )
    left_out = state.counts[Metric.SKIPPED].archives + state.counts[Metric.REJECTED].archives
    if as_json:
        print_json({"run": run, "deep": deep, "left_out": left_out, **asdict(result)})
    else:
        _print(run, result, left_out)
    raise typer.Exit(ExitCode.DIFFERENT if result.differences else ExitCode.OK)


def _print(run: str, result: Verification, left_out: int) -> None:
    good = result.archives - len(result.differences)
    out.print(f"Run {run}: {good:,} of {result.archives:,} archives are in the bucket ({size_text(result.bytes)}).")
    if left_out:
        out.print(f"{left_out:,} lines of the inventory were not to be copied; the report lists them.")
    if not result.differences:
        return
    table = Table("object", "what is wrong")
    for difference in result.differences[:_SHOWN]:
        table.add_row(difference.key, difference.reason)
    out.print(table)
    if len(result.differences) > _SHOWN:
        out.print(f"… and {len(result.differences) - _SHOWN:,} more; --json lists all.")
