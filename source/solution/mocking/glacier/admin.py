"""What a test may ask of a mock in another process, over HTTP, under ``/_mock/``.

``GET|PUT|POST|DELETE /_mock/faults`` (read, replace, add, clear), ``GET|DELETE /_mock/statistics``,
``PUT /_mock/vaults/NAME`` (fill a vault), ``GET|POST /_mock/clock`` (read; advance one that can be set).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from solution.mocking.glacier.clock import ManualClock, iso, parse_iso
from solution.mocking.glacier.errors import InjectedError, InvalidParameterError
from solution.mocking.glacier.faults import Fault
from solution.mocking.glacier.messages import Request, Response, json_document, reply
from solution.mocking.vaults import samples
from solution.mocking.vaults.virtual import VirtualContent, VirtualVault

if TYPE_CHECKING:
    from solution.mocking.glacier.service import GlacierService


class Admin:
    """The admin paths."""

    def __init__(self, service: GlacierService) -> None:
        self._service = service

    def handle(self, request: Request, body: bytes) -> Response:
        """Answer a request below ``/_mock/``.

        Raises:
            InvalidParameterError: the document is malformed.
            InjectedError: no such path (404).
        """
        match request.path.removeprefix("/_mock/").rstrip("/").split("/"):
            case ["faults"]:
                return self._faults(request, body)
            case ["statistics"] if request.method in ("GET", "DELETE"):
                if request.method == "DELETE":
                    self._service.statistics.clear()
                return reply(200, self._service.statistics.to_json())
            case ["vaults", name] if request.method == "PUT":
                return self._fill(name, json_document(body, "vault"))
            case ["clock"] if request.method in ("GET", "POST"):
                return self._clock(request, body)
        message = f"The mock has no {request.method} {request.path}."
        raise InjectedError(message, status=404, code="UnknownOperationException")

    def _faults(self, request: Request, body: bytes) -> Response:
        faults = self._service.faults
        match request.method:
            case "GET":
                pass
            case "PUT":
                faults.load_json(json_document(body, "faults"))
            case "POST":
                faults.add(Fault.from_json(json_document(body, "fault")))
            case "DELETE":
                faults.clear()
            case other:
                message = f"Faults cannot be asked with {other}. Use GET, PUT, POST or DELETE."
                raise InvalidParameterError(message)
        return reply(200, faults.to_json())

    def _fill(self, name: str, document: dict[str, Any]) -> Response:
        """``{"sample": NAME}``, ``{"virtual": {…}}`` and ``{"archives": [{…}]}``, in any combination."""
        unknown = set(document) - {"sample", "virtual", "archives"}
        if unknown:
            message = f"Invalid vault: unknown {sorted(unknown)}. Use 'sample', 'virtual' and 'archives'."
            raise InvalidParameterError(message)
        try:
            virtual = VirtualVault.from_json(document["virtual"]) if "virtual" in document else None
            self._service.create_vault(name, virtual)
            ids: list[str] = []
            if "sample" in document:
                ids += samples.fill(self._service, document["sample"], vault_name=name)
            ids += [self._add(name, archive) for archive in document.get("archives", [])]
        except (KeyError, TypeError, ValueError) as error:
            message = f"Invalid vault: {error}."
            raise InvalidParameterError(message) from error
        return reply(201, {"ArchiveIds": ids})

    def _add(self, name: str, archive: dict[str, Any]) -> str:
        """One archive: ``content`` (base64) or ``virtual``; ``description``, ``created`` (ISO), ``archive_id``."""
        content: bytes | VirtualContent = (
            VirtualContent.from_json(archive["virtual"])
            if "virtual" in archive
            else base64.b64decode(archive["content"])
        )
        created = archive.get("created")
        return self._service.add_archive(
            name,
            content,
            description=archive.get("description", ""),
            created=None if created is None else parse_iso(created),
            archive_id=archive.get("archive_id"),
        )

    def _clock(self, request: Request, body: bytes) -> Response:
        clock = self._service.clock
        if request.method == "POST":
            seconds = json_document(body, "clock").get("advance_seconds")
            if not isinstance(clock, ManualClock):
                message = "This mock runs on real time; start it with a ManualClock to advance its clock."
                raise InvalidParameterError(message)
            if not isinstance(seconds, int | float) or seconds < 0:
                message = f"Invalid advance_seconds: {seconds}. Give a number of 0 or more."
                raise InvalidParameterError(message)
            clock.advance(seconds)
        return reply(200, {"now": iso(clock.now())})
