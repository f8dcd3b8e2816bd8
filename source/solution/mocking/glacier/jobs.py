"""Jobs: archive and inventory retrievals from request to expiry (*Job Operations*, API reference).

A job is due at a moment decided when it is asked for; ``complete_due`` completes what is due, in batches,
and queues the notifications. Its output can be read until ``expires``; after that the job is gone, as in
Glacier.
"""

from __future__ import annotations

import json
from typing import Any, Final

from solution.domain.tree_hash import MIB, is_tree_hash_aligned
from solution.mocking.glacier import inventory
from solution.mocking.glacier.clock import iso
from solution.mocking.glacier.context import Context
from solution.mocking.glacier.errors import (
    InjectedError,
    InsufficientCapacityError,
    InvalidParameterError,
    MissingParameterError,
    NotFoundError,
)
from solution.mocking.glacier.faults import Event, Fault, FaultKind
from solution.mocking.glacier.messages import (
    Request,
    Response,
    check_description,
    json_document,
    page_limit,
    page_marker,
    reply,
)
from solution.mocking.glacier.notifications import Outbox, job_message
from solution.mocking.glacier.retrieval_policy import RetrievalPolicy
from solution.mocking.glacier.settings import Tier
from solution.mocking.glacier.store import StoredArchive, Vault
from solution.mocking.glacier.vaults import check_topic

ARCHIVE: Final = "ArchiveRetrieval"
INVENTORY: Final = "InventoryRetrieval"
IN_PROGRESS: Final = "InProgress"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"

_JOB_ID_BYTES: Final = 69
_MOST_PER_PAGE: Final = 50
_BATCH: Final = 1000
_STATUSES: Final = (IN_PROGRESS, SUCCEEDED, FAILED)


class Jobs:
    """Job operations, and what becomes of jobs."""

    def __init__(self, context: Context, outbox: Outbox, policy: RetrievalPolicy) -> None:
        self._context = context
        self._store = context.store
        self._outbox = outbox
        self._policy = policy

    def initiate(self, vault_name: str, body: bytes) -> Response:
        """POST jobs."""
        vault = self._context.vault(vault_name)
        document = json_document(body, "job parameters")
        kind = document.get("Type")
        if kind is None:
            message = "Required parameter missing: Type."
            raise MissingParameterError(message)
        if kind == "archive-retrieval":
            values = self._archive_retrieval(vault, document)
        elif kind == "inventory-retrieval":
            values = self._inventory_retrieval(document)
        else:
            message = (
                f"Invalid job type: {kind}. Use archive-retrieval or inventory-retrieval; select is not supported."
            )
            raise InvalidParameterError(message)
        description = document.get("Description")
        topic = document.get("SNSTopic")
        job_id = self._context.new_id(_JOB_ID_BYTES)
        values |= {
            "job_id": job_id,
            "vault_id": vault.vault_id,
            "vault_name": vault_name,
            "status": IN_PROGRESS,
            "description": check_description(str(description), "job description") if description else None,
            "topic": check_topic(topic) if topic else None,
            "created": self._context.clock.now(),
        }
        self._store.insert("jobs", values)
        self._context.statistics.archive(values.get("archive_id"), jobs=1)
        location = f"/{self._context.settings.account_id}/vaults/{vault_name}/jobs/{job_id}"
        return reply(202, Location=location, x_amz_job_id=job_id)

    def describe(self, vault_name: str, job_id: str) -> Response:
        """GET job."""
        return reply(200, self._description(self.find(vault_name, job_id)))

    def list_jobs(self, vault_name: str, request: Request) -> Response:
        """GET jobs, in the order they were asked for; filters ``completed`` and ``statuscode``."""
        vault = self._context.vault(vault_name)
        limit = page_limit(request, _MOST_PER_PAGE)
        conditions = ["vault_id = ?", "seq > ?", "(expires IS NULL OR expires > ?)"]
        values: list[Any] = [vault.vault_id, page_marker(request), self._context.clock.now()]
        completed = request.query.get("completed")
        if completed is not None:
            if completed.lower() not in ("true", "false"):
                message = f"Invalid completed: {completed}. Use true or false."
                raise InvalidParameterError(message)
            conditions.append("(status != ?) = ?")
            values += [IN_PROGRESS, completed.lower() == "true"]
        status = request.query.get("statuscode")
        if status is not None:
            if status not in _STATUSES:
                message = f"Invalid statuscode: {status}. Use one of {', '.join(_STATUSES)}."
                raise InvalidParameterError(message)
            conditions.append("status = ?")
            values.append(status)
        where = " AND ".join(conditions)
        sql = f"SELECT * FROM jobs WHERE {where} ORDER BY seq LIMIT ?"  # noqa: S608  # the texts are ours
        rows = [dict(row) for row in self._store.rows(sql, [*values, limit + 1])]
        following = str(rows[limit - 1]["seq"]) if len(rows) > limit else None
        jobs = [self._description(row) for row in rows[:limit]]
        return reply(200, {"JobList": jobs, "Marker": following})

    def find(self, vault_name: str, job_id: str) -> dict[str, Any]:
        """The job's row.

        Raises:
            NotFoundError: there is none, or it has expired.
        """
        vault = self._context.vault(vault_name)
        row = self._store.row("SELECT * FROM jobs WHERE job_id = ? AND vault_id = ?", (job_id, vault.vault_id))
        if row is None or (row["expires"] is not None and row["expires"] <= self._context.clock.now()):
            message = f"The job ID was not found: {job_id}"
            raise NotFoundError(message)
        return dict(row)

    def complete_due(self, action: str) -> int:
        """Complete all jobs of this action that are due; returns how many were."""
        done = 0
        size = _BATCH if action == ARCHIVE else 1  # an inventory may be long to write; its turn is its own
        while rows := self._store.rows(
            "SELECT * FROM jobs WHERE action = ? AND due <= ? ORDER BY due LIMIT ?",
            (action, self._context.clock.now(), size),
        ):
            jobs = [dict(row) for row in rows]
            settled = [self._settle(job) for job in jobs]
            notifications = [item for job in settled for item in self._notifications(job)]
            with self._store.transaction():
                self._store.execute_many(
                    "UPDATE jobs SET status = :status, message = :message, due = NULL, completed = :completed,"
                    " expires = :expires, inventory = :inventory, inventory_size = :inventory_size"
                    " WHERE seq = :seq",
                    settled,  # type: ignore[arg-type]  # named parameters come as mappings
                )
                self._outbox.put(notifications)
            done += len(rows)
        return done

    def next_due(self, action: str) -> float | None:
        """When the next job of this action is due."""
        row = self._store.row("SELECT MIN(due) AS due FROM jobs WHERE action = ?", (action,))
        return row["due"] if row else None

    def purge(self) -> int:
        """Forget jobs whose output has expired, and bodies nobody can reach any more; returns how many jobs."""
        rows = self._store.rows(
            "SELECT seq, job_id, action, body FROM jobs WHERE expires <= ? LIMIT ?",
            (self._context.clock.now(), _BATCH),
        )
        if not rows:
            return 0
        with self._store.transaction():
            self._store.execute_many("DELETE FROM jobs WHERE seq = ?", [(row["seq"],) for row in rows])
            orphans = [
                body
                for body in {row["body"] for row in rows if row["body"]}
                if not self._store.row(
                    "SELECT 1 FROM archives WHERE body = ? AND deleted_after IS NULL"
                    " UNION ALL SELECT 1 FROM jobs WHERE body = ? LIMIT 1",
                    (body, body),
                )
            ]
        for row in rows:
            if row["action"] == INVENTORY:
                self._store.bodies.inventory(row["job_id"]).unlink(missing_ok=True)
        for body in orphans:
            self._store.bodies.discard_body(body)
        return len(rows)

    def _archive_retrieval(self, vault: Vault, document: dict[str, Any]) -> dict[str, Any]:
        archive_id = document.get("ArchiveId")
        if not archive_id:
            message = "Required parameter missing: ArchiveId."
            raise MissingParameterError(message)
        archive = self._store.archive(vault, str(archive_id))
        refusal = self._context.faults.strike(
            FaultKind.INITIATE_REFUSED,
            Event(
                operation="InitiateJob",
                vault_name=vault.name,
                archive_id=str(archive_id),
                description=archive.description if archive else None,
                action=ARCHIVE,
            ),
        )
        if refusal and refusal.code:
            text = refusal.message or "Refused by a fault."
            raise InjectedError(text, status=refusal.status or 400, code=refusal.code)
        if archive is None or refusal:
            message = f"The archive ID was not found: {archive_id}"
            raise NotFoundError(message)
        tier = self._tier(document.get("Tier"))
        first, last, range_hash = self._retrieval_range(archive, document.get("RetrievalByteRange"))
        now = self._context.clock.now()
        self._policy.admit(tier, archive.size if first is None or last is None else last - first + 1)
        return {
            "action": ARCHIVE,
            "tier": tier.value,
            "due": now + self._context.staging_time(self._context.settings.staging[tier]),
            "archive_id": archive.archive_id,
            "archive_description": archive.description,
            "archive_size": archive.size,
            "archive_tree_hash": archive.tree_hash,
            "body": archive.body,
            "virtual": json.dumps(archive.virtual.to_json()) if archive.virtual else None,
            "range_start": 0 if first is None else first,
            "range_end": archive.size - 1 if last is None else last,
            "range_tree_hash": range_hash,
        }

    def _inventory_retrieval(self, document: dict[str, Any]) -> dict[str, Any]:
        wanted = inventory.InventorySelection.from_request(
            document.get("Format") or "JSON", document.get("InventoryRetrievalParameters") or {}
        )
        newest = self._store.row("SELECT COALESCE(MAX(seq), 0) AS newest FROM archives")
        settings = self._context.settings
        return {
            "action": INVENTORY,
            "due": self._context.clock.now() + self._context.staging_time(settings.inventory_staging),
            "inventory": json.dumps(wanted.to_json()),
            "snapshot": newest["newest"] if newest else 0,
        }

    def _tier(self, text: object) -> Tier:
        try:
            tier = Tier(str(text or Tier.STANDARD))
        except ValueError as error:
            message = f"Invalid tier: {text}. Use one of {', '.join(Tier)}."
            raise InvalidParameterError(message) from error
        if tier is Tier.EXPEDITED and not self._context.settings.expedited_capacity:
            message = "Expedited retrievals are currently not available, please try again later."
            raise InsufficientCapacityError(message)
        return tier

    def _retrieval_range(self, archive: StoredArchive, text: object) -> tuple[int | None, int | None, str | None]:
        """First byte, last byte and tree hash of what is retrieved; the hash only if the range has one."""
        if text is None:
            return None, None, archive.tree_hash
        first_text, _, last_text = str(text).partition("-")
        if not (first_text.isdigit() and last_text.isdigit()):
            message = f"Invalid retrieval byte range: {text}. Give first-last, in bytes."
            raise InvalidParameterError(message)
        first, last = int(first_text), int(last_text)
        inside = first <= last < archive.size
        if not inside or first % MIB or ((last + 1) % MIB and last + 1 != archive.size):
            message = (
                f"Invalid retrieval byte range: {text}. It must lie in the {archive.size} bytes of the archive "
                "and be megabyte-aligned: begin at a multiple of 1 MiB, end before one or with the archive."
            )
            raise InvalidParameterError(message)
        if not is_tree_hash_aligned(first, last, archive.size):
            return first, last, None
        content = self._store.content(archive.size, archive.body, archive.virtual)
        return first, last, content.tree_hash(first, last + 1)

    def _settle(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job as it ends: succeeded, failed or, by a fault, never."""
        event = self._event(job)
        if self._context.faults.strike(FaultKind.JOB_NEVER_COMPLETES, event):
            return job
        failure = self._context.faults.strike(FaultKind.JOB_FAILS, event)
        if failure is None and job["action"] == INVENTORY:
            job = self._write_inventory(job)
        now, settings = self._context.clock.now(), self._context.settings
        stays = self._context.faults.strike(FaultKind.OUTPUT_STAYS, event)
        text = SUCCEEDED if failure is None else failure.message or "The retrieval failed. Request it again."
        return job | {
            "status": SUCCEEDED if failure is None else FAILED,
            "message": text,
            "completed": now,
            "expires": now + (settings.scaled(settings.window) if stays is None else settings.window),
        }

    def _write_inventory(self, job: dict[str, Any]) -> dict[str, Any]:
        vault = self._store.vault(job["vault_name"])
        wanted = inventory.InventorySelection.from_json(json.loads(job["inventory"]))
        path = self._store.bodies.inventory(job["job_id"])
        archives = (
            inventory.snapshot(self._context, vault, job["seq"], job["created"], wanted.marker)
            if vault and vault.vault_id == job["vault_id"]
            else iter(())
        )
        following = inventory.write(
            path,
            inventory.select(archives, wanted),
            wanted,
            self._context.settings.vault_arn(job["vault_name"]),
            job["created"],
        )
        shown = wanted.to_json() | {"Marker": following}
        return job | {"inventory": json.dumps(shown), "inventory_size": path.stat().st_size}

    def _notifications(self, job: dict[str, Any]) -> list[tuple[float, str, str]]:
        """(due, topic, message) of what a job's completion announces, faults considered."""
        if job["status"] == IN_PROGRESS:
            return []
        vault = self._store.vault(job["vault_name"])
        configuration = vault.notification if vault else None
        topics = [job["topic"]] if job["topic"] else []
        if configuration and f"{job['action']}Completed" in configuration["Events"]:
            topics.append(configuration["SNSTopic"])
        if not topics:
            return []
        faults, event = self._context.faults, self._event(job)
        if faults.strike(FaultKind.NOTIFICATION_MISSING, event):
            return []
        late = faults.strike(FaultKind.NOTIFICATION_LATE, event)
        copies = 2 if faults.strike(FaultKind.NOTIFICATION_DUPLICATE, event) else 1
        message = job_message(job, self._context.settings.vault_arn(job["vault_name"]))
        due = job["completed"] + (self._delay(late) if late else 0.0)
        return [(due, topic, message) for topic in dict.fromkeys(topics) for _ in range(copies)]

    def _delay(self, fault: Fault) -> float:
        settings = self._context.settings
        return settings.scaled(settings.late_by if fault.delay_seconds is None else fault.delay_seconds)

    def _event(self, job: dict[str, Any]) -> Event:
        return Event(
            vault_name=job["vault_name"],
            archive_id=job["archive_id"],
            description=job["archive_description"],
            action=job["action"],
        )

    def _description(self, job: dict[str, Any]) -> dict[str, Any]:
        message = json.loads(
            job_message(
                job | {"completed": job["completed"] or 0.0},
                self._context.settings.vault_arn(job["vault_name"]),
            )
        )
        message["Completed"] = job["status"] != IN_PROGRESS
        message["CompletionDate"] = iso(job["completed"]) if job["completed"] else None
        return {name: value for name, value in message.items() if value is not None}
