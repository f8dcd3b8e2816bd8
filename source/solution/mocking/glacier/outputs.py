"""Job outputs: bytes of an archive or an inventory, whole or a range of them (*Get Job Output*)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from solution.domain.tree_hash import is_tree_hash_aligned
from solution.mocking.glacier.bodies import FileContent
from solution.mocking.glacier.context import Context
from solution.mocking.glacier.errors import InvalidParameterError
from solution.mocking.glacier.faults import Event, FaultKind
from solution.mocking.glacier.jobs import IN_PROGRESS, INVENTORY, SUCCEEDED, Jobs
from solution.mocking.glacier.messages import ReadCutShortError, Request, Response, parse_range
from solution.mocking.glacier.store import content_of

_CONTENT_TYPES: Final = {"CSV": "text/csv", "JSON": "application/json"}


class Outputs:
    """GET output."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    def get(self, vault_name: str, job_id: str, request: Request) -> Response:
        """The output, or the range of it that is asked for; its body streams."""
        job = self._jobs.find(vault_name, job_id)
        if job["status"] == IN_PROGRESS:
            message = f"The job is not currently available for download: {job_id}"
            raise InvalidParameterError(message)
        if job["status"] != SUCCEEDED:
            message = f"The job {job_id} has failed and has no output: {job['message']}"
            raise InvalidParameterError(message)
        if job["action"] == INVENTORY:
            return self._inventory(job, request)
        return self._archive(job, request)

    def _inventory(self, job: dict[str, Any], request: Request) -> Response:
        size = job["inventory_size"]
        start, stop, headers = self._range(request, size)
        form = "CSV" if '"Format": "CSV"' in job["inventory"] else "JSON"
        headers |= {"Content-Type": _CONTENT_TYPES[form]}
        content = FileContent(path=self._context.store.bodies.inventory(job["job_id"]), size=size)
        return self._respond(job, headers, content.read(start, stop), stop - start)

    def _archive(self, job: dict[str, Any], request: Request) -> Response:
        base = job["range_start"]
        start, stop, headers = self._range(request, job["range_end"] - base + 1)
        headers |= {"Content-Type": "application/octet-stream"}
        description = job["archive_description"]
        if description and all(" " <= char <= "~" for char in description):
            headers["x-amz-archive-description"] = description
        size = job["archive_size"]
        content = self._context.store.content(size, job["body"], content_of(job["virtual"]))
        if is_tree_hash_aligned(base + start, base + stop - 1, size):
            headers["x-amz-sha256-tree-hash"] = content.tree_hash(base + start, base + stop)
        return self._respond(job, headers, content.read(base + start, base + stop), stop - start)

    def _range(self, request: Request, size: int) -> tuple[int, int, dict[str, str]]:
        """First byte, byte after the last, and the headers that say so."""
        text = request.headers.get("range")
        if not text:
            return 0, size, {"Accept-Ranges": "bytes"}
        first, last = parse_range(text, "range")
        if last >= size:
            # Stricter than HTTP, which would shorten the range: a caller that asks for too much has lost
            # count.
            message = f"Invalid range: {text} ends after the last of {size} bytes. Ask for bytes that exist."
            raise InvalidParameterError(message)
        return first, last + 1, {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{size}"}

    def _respond(self, job: dict[str, Any], headers: dict[str, str], body: Iterator[bytes], length: int) -> Response:
        event = Event(
            operation="GetJobOutput",
            vault_name=job["vault_name"],
            archive_id=job["archive_id"],
            description=job["archive_description"],
            action=job["action"],
        )
        if self._context.faults.strike(FaultKind.RANGE_CORRUPT, event):
            body = _corrupt(body)
        if self._context.faults.strike(FaultKind.READ_CUT_SHORT, event):
            body = _cut_short(body, length // 2)
        self._context.statistics.archive(job["archive_id"], reads=1)
        status = 206 if "Content-Range" in headers else 200
        return Response(
            status=status,
            headers=headers | {"Content-Length": str(length)},
            body=self._counted(body, job["archive_id"]),
        )

    def _counted(self, body: Iterator[bytes], archive_id: str | None) -> Iterator[bytes]:
        statistics = self._context.statistics
        for piece in body:
            statistics.total("bytes_out", len(piece))
            statistics.archive(archive_id, bytes=len(piece))
            yield piece


def _corrupt(body: Iterator[bytes]) -> Iterator[bytes]:
    first = next(body)
    middle = len(first) // 2
    yield first[:middle] + bytes([first[middle] ^ 0xFF]) + first[middle + 1 :]
    yield from body


def _cut_short(body: Iterator[bytes], length: int) -> Iterator[bytes]:
    for piece in body:
        if len(piece) >= length:
            yield piece[:length]
            message = "a fault ends this body early: close the connection"
            raise ReadCutShortError(message)
        length -= len(piece)
        yield piece
