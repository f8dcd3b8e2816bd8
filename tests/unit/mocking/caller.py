"""A Glacier without a network: requests in, responses out, and a clock in the hand of the test."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from solution.domain.tree_hash import tree_hash
from solution.mocking.glacier import GlacierService, ManualClock, RecordingNotifier, Request, Response

HOUR = 3600
TOPIC = "arn:aws:sns:us-east-1:000000000000:jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Glacier:
    """A service with what a test wants to hold of it."""

    service: GlacierService
    clock: ManualClock
    notifier: RecordingNotifier

    def call(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | AsyncIterator[bytes] = b"",
        *,
        query: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Response:
        """One request to ``/-{path}``; header names are given with ``_`` for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(
            method=method,
            path=path if path.startswith("/_mock/") else f"/-{path}",
            query=query or {},
            headers={"x-amz-glacier-version": "2012-06-01", **sent},
            body=json.dumps(body).encode() if isinstance(body, dict) else body,
        )
        return asyncio.run(self.service.handle(request))

    def ok(self, method: str, path: str, body: bytes | dict[str, Any] = b"", **rest: Any) -> Response:
        """A request that must succeed."""
        response = self.call(method, path, body, **rest)
        assert response.status < 300, response.read()
        return response

    def document(self, method: str, path: str, body: bytes | dict[str, Any] = b"", **rest: Any) -> Any:
        """The JSON of a request that must succeed."""
        return json.loads(self.ok(method, path, body, **rest).read())

    def upload(self, content: bytes, description: str = "", vault: str = "v") -> str:
        """Upload an archive; returns its id."""
        response = self.ok(
            "POST",
            f"/vaults/{vault}/archives",
            content,
            **checksums(content),
            x_amz_archive_description=description,
        )
        return response.headers["x-amz-archive-id"]

    def initiate(self, vault: str = "v", **parameters: Any) -> str:
        """Ask for a job; returns its id."""
        return self.ok("POST", f"/vaults/{vault}/jobs", parameters).headers["x-amz-job-id"]

    def retrieve(self, archive_id: str, vault: str = "v", **parameters: Any) -> str:
        """Ask for an archive; returns the job's id."""
        return self.initiate(vault, Type="archive-retrieval", ArchiveId=archive_id, **parameters)

    def wait(self, hours: float = 13) -> None:
        """Let time pass and its work be done."""
        self.clock.advance(hours * HOUR)
        self.service.run_due()

    def output(self, job_id: str, vault: str = "v", first: int | None = None, last: int | None = None) -> Response:
        """Read a job's output, or a range of it."""
        headers: dict[str, Any] = {} if first is None else {"range": f"bytes={first}-{last}"}
        return self.call("GET", f"/vaults/{vault}/jobs/{job_id}/output", **headers)

    def job(self, job_id: str, vault: str = "v") -> Any:
        """Describe a job."""
        return self.document("GET", f"/vaults/{vault}/jobs/{job_id}")

    def inventory(self, vault: str = "v", form: str = "JSON", **parameters: Any) -> bytes:
        """Retrieve an inventory."""
        job = self.initiate(vault, Type="inventory-retrieval", Format=form, **parameters)
        self.wait()
        return self.output(job, vault).read()


def checksums(content: bytes) -> dict[str, Any]:
    """Headers that vouch for a body."""
    return {
        "x_amz_sha256_tree_hash": tree_hash(content),
        "x_amz_content_sha256": hashlib.sha256(content).hexdigest(),
    }


def error(response: Response) -> tuple[int, str]:
    """Status and code of an error; its shape is checked on the way."""
    document = json.loads(response.read())
    assert set(document) == {"code", "message", "type"}
    assert document["message"]
    assert response.headers["x-amzn-ErrorType"] == document["code"]
    assert document["type"] == ("Server" if response.status >= 500 else "Client")
    return response.status, document["code"]
