"""The service itself: which operation a request means, what every request must have, and the turns of time.

``GlacierService.handle`` knows no web server: ``asgi`` and ``lambda_handler`` adapt it. Work that touches
the disk runs in the service's own threads.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from solution.mocking.glacier.admin import Admin
from solution.mocking.glacier.bodies import Incoming
from solution.mocking.glacier.clock import Clock, SystemClock
from solution.mocking.glacier.context import Context
from solution.mocking.glacier.errors import (
    GlacierError,
    InjectedError,
    InvalidParameterError,
    ServiceUnavailableError,
)
from solution.mocking.glacier.faults import Event, FaultKind, Faults
from solution.mocking.glacier.jobs import ARCHIVE, INVENTORY, Jobs
from solution.mocking.glacier.messages import (
    CHUNK,
    Request,
    Response,
    error_reply,
    json_document,
    required_header,
)
from solution.mocking.glacier.notifications import Notifier, Outbox, SilentNotifier
from solution.mocking.glacier.outputs import Outputs
from solution.mocking.glacier.retrieval_policy import RetrievalPolicy
from solution.mocking.glacier.settings import GlacierSettings
from solution.mocking.glacier.statistics import Statistics
from solution.mocking.glacier.store import Store
from solution.mocking.glacier.uploads import Uploads
from solution.mocking.glacier.vaults import Vaults
from solution.mocking.glacier.worker import Turn, Worker
from solution.mocking.vaults.virtual import VirtualContent, VirtualVault

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_API_VERSION: Final = "2012-06-01"
_THREADS: Final = 8

_ROUTES: Final = [
    (method, re.compile(pattern.format(v="/vaults/(?P<vault>[^/]+)")), operation)
    for method, pattern, operation in (
        ("GET", "/vaults", "ListVaults"),
        ("PUT", "{v}", "CreateVault"),
        ("GET", "{v}", "DescribeVault"),
        ("DELETE", "{v}", "DeleteVault"),
        ("POST", "{v}/archives", "UploadArchive"),
        ("DELETE", "{v}/archives/(?P<archive>[^/]+)", "DeleteArchive"),
        ("POST", "{v}/jobs", "InitiateJob"),
        ("GET", "{v}/jobs", "ListJobs"),
        ("GET", "{v}/jobs/(?P<job>[^/]+)", "DescribeJob"),
        ("GET", "{v}/jobs/(?P<job>[^/]+)/output", "GetJobOutput"),
        ("POST", "{v}/multipart-uploads", "InitiateMultipartUpload"),
        ("GET", "{v}/multipart-uploads", "ListMultipartUploads"),
        ("PUT", "{v}/multipart-uploads/(?P<upload>[^/]+)", "UploadMultipartPart"),
        ("POST", "{v}/multipart-uploads/(?P<upload>[^/]+)", "CompleteMultipartUpload"),
        ("DELETE", "{v}/multipart-uploads/(?P<upload>[^/]+)", "AbortMultipartUpload"),
        ("GET", "{v}/multipart-uploads/(?P<upload>[^/]+)", "ListParts"),
        ("PUT", "{v}/notification-configuration", "SetVaultNotifications"),
        ("GET", "{v}/notification-configuration", "GetVaultNotifications"),
        ("DELETE", "{v}/notification-configuration", "DeleteVaultNotifications"),
        ("GET", "{v}/tags", "ListTagsForVault"),
        ("POST", "{v}/tags", "ChangeTags"),
        ("GET", "/policies/data-retrieval", "GetDataRetrievalPolicy"),
        ("PUT", "/policies/data-retrieval", "SetDataRetrievalPolicy"),
        ("(GET|PUT|DELETE)", "{v}/access-policy", "VaultAccessPolicy"),
        ("(GET|POST|DELETE)", "{v}/lock-policy(/[^/]+)?", "VaultLock"),
        ("(GET|POST)", "/provisioned-capacity", "ProvisionedCapacity"),
    )
]
_UPLOADS: Final = frozenset({"UploadArchive", "UploadMultipartPart"})
_UNSUPPORTED: Final = frozenset({"VaultAccessPolicy", "VaultLock", "ProvisionedCapacity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request with what was read of it."""

    operation: str
    parameters: dict[str, str]
    request: Request
    body: bytes = b""
    incoming: Incoming | None = None

    @property
    def vault(self) -> str:
        """Name of the vault in the path."""
        return self.parameters["vault"]

    def arrived(self) -> Incoming:
        """The streamed body."""
        if self.incoming is None:
            message = f"{self.operation} was called without its body: it must be listed as an upload"
            raise ValueError(message)
        return self.incoming


class GlacierService:
    """A Glacier of one account and region, kept in one data directory.

    Args:
        data_dir: where vaults live; made if missing, reused if it holds a Glacier already.
            One process at a time.
        settings: identity, times, limits.
        clock: real time unless a test brings its own.
        notifier: publishes notifications of completed jobs; by default nobody does.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        settings: GlacierSettings | None = None,
        clock: Clock | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.settings = settings or GlacierSettings()
        self.clock = clock or SystemClock()
        self.faults = Faults(self.clock, seed=self.settings.seed)
        self.statistics = Statistics()
        self._store = Store(Path(data_dir), network_disk=self.settings.network_disk)
        self._context = Context(
            store=self._store,
            clock=self.clock,
            settings=self.settings,
            faults=self.faults,
            statistics=self.statistics,
        )
        self._outbox = Outbox(self._context, notifier or SilentNotifier())
        self._policy = RetrievalPolicy(self._context)
        self._vaults = Vaults(self._context)
        self._uploads = Uploads(self._context)
        self._jobs = Jobs(self._context, self._outbox, self._policy)
        self._outputs = Outputs(self._context, self._jobs)
        self._admin = Admin(self)
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="glacier")
        self._operations = self._table()
        self._worker = Worker(
            self.clock,
            [
                Turn("archive-jobs", self._complete_archive_jobs, lambda: self._jobs.next_due(ARCHIVE)),
                Turn(
                    "inventory-jobs",
                    lambda: self._jobs.complete_due(INVENTORY),
                    lambda: self._jobs.next_due(INVENTORY),
                ),
                Turn("notifications", self._outbox.deliver, self._outbox.next_due),
            ],
        )
        self._closed = threading.Event()

    def start(self) -> None:
        """Let time do its work in background threads: complete due jobs, publish notifications."""
        self._worker.start()

    def close(self) -> None:
        """Stop the threads and release the database. The service cannot be used after that; twice is no error."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._worker.stop()
        self.threads.shutdown()
        self._outbox.close()
        self._store.close()

    def run_due(self) -> int:
        """Do what is due now, once, and return how many things were done; for tests and hosts without threads."""
        return self._worker.run_once()

    def create_vault(self, name: str, virtual: VirtualVault | None = None) -> None:
        """Make a vault, with any number of virtual archives in it; one that exists takes the new virtual archives."""
        self._vaults.create(name)
        if virtual is not None:
            self._vaults.make_virtual(name, virtual)

    def has_vault(self, name: str) -> bool:
        """Whether there is a vault of this name."""
        return self._store.vault(name) is not None

    def add_archive(
        self,
        vault_name: str,
        content: bytes | Path | VirtualContent,
        *,
        description: str = "",
        created: float | None = None,
        archive_id: str | None = None,
    ) -> str:
        """Put an archive into a vault past the API and return its id.

        What the API refuses is allowed here, as archives of old times have it: any description, any
        creation date (seconds since 1970; now, if None), a chosen id.

        Raises:
            NotFoundError: there is no such vault.
            ValueError: the content is empty.
        """
        return self._uploads.add_archive(
            self._context.vault(vault_name),
            content,
            description=description,
            created=created,
            archive_id=archive_id,
        )

    async def handle(self, request: Request) -> Response:
        """Answer one request. Never raises for what a caller did: errors are responses."""
        try:
            response = await self._answer(request)
        except GlacierError as error:
            self.statistics.error(error.code)
            response = error_reply(error)
        except Exception:
            logger.exception("request failed: %s %s", request.method, request.path)
            self.statistics.error(ServiceUnavailableError.code)
            response = error_reply(ServiceUnavailableError("The service failed; its log says why."))
        return replace(response, headers={**response.headers, "x-amzn-RequestId": uuid.uuid4().hex})

    async def in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Run blocking work in one of the service's threads."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *arguments)

    async def _answer(self, request: Request) -> Response:
        if request.path.startswith("/_mock/"):
            body = await _collect(request.body)
            return await self.in_thread(self._admin.handle, request, body)
        call = self._route(request)
        self.statistics.operation(call.operation)
        self.faults.admit(call.operation)
        if required_header(request, "x-amz-glacier-version", "API version") != _API_VERSION:
            message = f"Invalid API version: {request.headers['x-amz-glacier-version']}. Use {_API_VERSION}."
            raise InvalidParameterError(message)
        if call.operation in _UPLOADS:
            return await self._answer_upload(call)
        call = replace(call, body=await _collect(request.body))
        response = await self.in_thread(self._perform, call)
        if call.operation == "InitiateJob":
            self._worker.wake()
        return response

    async def _answer_upload(self, call: Call) -> Response:
        incoming = await self.in_thread(self._store.bodies.incoming)
        try:
            if isinstance(call.request.body, bytes):
                await self.in_thread(incoming.write, call.request.body)
            else:
                async for piece in _in_chunks(call.request.body):
                    await self.in_thread(incoming.write, piece)
            return await self.in_thread(self._perform, replace(call, incoming=incoming))
        finally:
            await self.in_thread(incoming.discard)

    def _route(self, request: Request) -> Call:
        account, _, rest = request.path.lstrip("/").partition("/")
        if account not in ("-", self.settings.account_id):
            own = self.settings.account_id
            message = f"Access to account {account} denied: this is account {own}; '-' means it."
            raise InjectedError(message, status=403, code="AccessDeniedException")
        path = "/" + rest.rstrip("/")
        for method, pattern, operation in _ROUTES:
            match = pattern.fullmatch(path)
            if match and re.fullmatch(method, request.method):
                return Call(operation=_tag_operation(operation, request), parameters=match.groupdict(), request=request)
        message = f"Glacier has no operation {request.method} {request.path}."
        raise InjectedError(message, status=404, code="UnknownOperationException")

    def _perform(self, call: Call) -> Response:
        if call.operation in _UNSUPPORTED:
            message = f"{call.operation} is not supported by this mock of Glacier."
            raise InvalidParameterError(message)
        self._inject_error(call)
        return self._operations[call.operation](call)

    def _inject_error(self, call: Call) -> None:
        if not self.faults.armed(FaultKind.ERROR):
            return
        fault = self.faults.strike(FaultKind.ERROR, self._event(call))
        if fault:
            text = fault.message or "Service unavailable, asked for by a fault."
            raise InjectedError(text, status=fault.status or 500, code=fault.code or ServiceUnavailableError.code)

    def _event(self, call: Call) -> Event:
        """What a fault can know of a request; archives are found through the job or the body that names them."""
        vault_name = call.parameters.get("vault")
        archive_id = call.parameters.get("archive")
        description: str | None = None
        action: str | None = None
        if "job" in call.parameters:
            row = self._store.row(
                "SELECT archive_id, archive_description, action FROM jobs WHERE job_id = ?",
                (call.parameters["job"],),
            )
            if row:
                archive_id, description, action = row["archive_id"], row["archive_description"], row["action"]
        elif call.operation == "InitiateJob":
            archive_id = json_document(call.body, "job parameters").get("ArchiveId")
        vault = self._store.vault(vault_name) if vault_name else None
        if archive_id and vault and description is None:
            archive = self._store.archive(vault, archive_id)
            description = archive.description if archive else None
        return Event(
            operation=call.operation,
            vault_name=vault_name,
            archive_id=archive_id,
            description=description,
            action=action,
        )

    def _complete_archive_jobs(self) -> int:
        done = self._jobs.complete_due(ARCHIVE)
        while purged := self._jobs.purge():
            done += purged
        return done

    def _table(self) -> dict[str, Callable[[Call], Response]]:
        vaults, uploads, jobs, outputs = self._vaults, self._uploads, self._jobs, self._outputs
        return {
            "ListVaults": lambda call: vaults.list_vaults(call.request),
            "CreateVault": lambda call: vaults.create_vault(call.vault),
            "DescribeVault": lambda call: vaults.describe_vault(call.vault),
            "DeleteVault": lambda call: vaults.delete_vault(call.vault),
            "SetVaultNotifications": lambda call: vaults.set_notifications(call.vault, call.body),
            "GetVaultNotifications": lambda call: vaults.get_notifications(call.vault),
            "DeleteVaultNotifications": lambda call: vaults.delete_notifications(call.vault),
            "ListTagsForVault": lambda call: vaults.list_tags(call.vault),
            "AddTagsToVault": lambda call: vaults.change_tags(call.vault, call.request, call.body),
            "RemoveTagsFromVault": lambda call: vaults.change_tags(call.vault, call.request, call.body),
            "UploadArchive": lambda call: uploads.upload_archive(call.vault, call.request, call.arrived()),
            "DeleteArchive": lambda call: uploads.delete_archive(call.vault, call.parameters["archive"]),
            "InitiateMultipartUpload": lambda call: uploads.initiate(call.vault, call.request),
            "UploadMultipartPart": lambda call: uploads.upload_part(
                call.vault, call.parameters["upload"], call.request, call.arrived()
            ),
            "CompleteMultipartUpload": lambda call: uploads.complete(
                call.vault, call.parameters["upload"], call.request
            ),
            "AbortMultipartUpload": lambda call: uploads.abort(call.vault, call.parameters["upload"]),
            "ListParts": lambda call: uploads.list_parts(call.vault, call.parameters["upload"], call.request),
            "ListMultipartUploads": lambda call: uploads.list_uploads(call.vault, call.request),
            "InitiateJob": lambda call: jobs.initiate(call.vault, call.body),
            "ListJobs": lambda call: jobs.list_jobs(call.vault, call.request),
            "DescribeJob": lambda call: jobs.describe(call.vault, call.parameters["job"]),
            "GetJobOutput": lambda call: outputs.get(call.vault, call.parameters["job"], call.request),
            "GetDataRetrievalPolicy": lambda _: self._policy.get(),
            "SetDataRetrievalPolicy": lambda call: self._policy.set(call.body),
        }


def _tag_operation(operation: str, request: Request) -> str:
    if operation != "ChangeTags":
        return operation
    return "RemoveTagsFromVault" if request.query.get("operation") == "remove" else "AddTagsToVault"


async def _collect(body: bytes | AsyncIterator[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def _in_chunks(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces gathered to about 1 MiB, so that a slow network does not cost a thread switch per packet."""
    gathered = bytearray()
    async for piece in stream:
        gathered += piece
        if len(gathered) >= CHUNK:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)
