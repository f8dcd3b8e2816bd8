"""Faults on demand: what a test wants to go wrong, with which archives, how often.

A fault is a frozen description; ``Faults`` holds those in force, counts them down and draws its
probabilities from a seeded generator, so that a run with a seed goes wrong the same way twice. The same
descriptions travel as JSON over ``/_mock/faults``.
"""

from __future__ import annotations

import random
import threading
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from solution.mocking.glacier.clock import Clock
from solution.mocking.glacier.errors import InvalidParameterError, ThrottledError


class FaultKind(StrEnum):
    """What goes wrong, and at which moment it is decided."""

    JOB_FAILS = "job-fails"
    """At completion: StatusCode Failed, with ``message``."""
    JOB_NEVER_COMPLETES = "job-never-completes"
    """At completion: the job stays InProgress for good."""
    INITIATE_REFUSED = "initiate-refused"
    """At InitiateJob: ResourceNotFoundException, or ``code``/``status``."""
    RANGE_CORRUPT = "range-corrupt"
    """At GetJobOutput: a byte is flipped, headers are those of the true content."""
    READ_CUT_SHORT = "read-cut-short"
    """At GetJobOutput: the connection closes after half of the body."""
    ERROR = "error"
    """At any operation: the answer is ``status``/``code`` (default: 500 ServiceUnavailableException)."""
    NOTIFICATION_DUPLICATE = "notification-duplicate"
    """At completion: the notification is published twice."""
    NOTIFICATION_MISSING = "notification-missing"
    """At completion: the notification is never published."""
    NOTIFICATION_LATE = "notification-late"
    """At completion: the notification comes ``delay_seconds`` later (of Glacier's time)."""
    OUTPUT_STAYS = "output-stays"
    """At completion: the output can be read as long as in Glacier, whatever the time factor. The one fault that helps:
    work that takes as long here as there would find its output gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. Every selector that is given must match; one that is None matches everything.

    Attributes:
        kind: what goes wrong.
        operation: name of the API operation, for ``FaultKind.ERROR``, e.g. ``GetJobOutput``.
        vault_name: exact name.
        archive_id: exact id.
        description: exact archive description.
        description_contains: part of the archive description.
        action: ``ArchiveRetrieval`` or ``InventoryRetrieval``: the kind of job concerned.
        times: how often it strikes, None for always.
        after: how many matching events pass unharmed first.
        probability: 0 to 1, of striking at a matching event.
        message: text of the failure.
        status: HTTP status of the answer, where the kind answers with an error.
        code: error code of that answer.
        delay_seconds: for ``NOTIFICATION_LATE``, None for the service's default.
    """

    kind: FaultKind
    operation: str | None = None
    vault_name: str | None = None
    archive_id: str | None = None
    description: str | None = None
    description_contains: str | None = None
    action: str | None = None
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    message: str | None = None
    status: int | None = None
    code: str | None = None
    delay_seconds: float | None = None

    def concerns(self, event: Event) -> bool:
        """Whether every given selector matches."""
        return (
            self.operation in (None, event.operation)
            and self.vault_name in (None, event.vault_name)
            and self.archive_id in (None, event.archive_id)
            and self.description in (None, event.description)
            and self.action in (None, event.action)
            and (self.description_contains is None or self.description_contains in (event.description or ""))
        )

    def to_json(self) -> dict[str, Any]:
        """Only what is set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: object) -> Fault:
        """Inverse of ``to_json``.

        Raises:
            InvalidParameterError: an unknown kind or field.
        """
        names = {item.name for item in fields(cls)}
        if not isinstance(value, dict) or not set(value) <= names or "kind" not in value:
            message = f"Invalid fault: {value!r}. Give an object with 'kind' and any of {sorted(names)}."
            raise InvalidParameterError(message)
        try:
            return cls(**{**value, "kind": FaultKind(value["kind"])})
        except ValueError as error:
            kinds = ", ".join(FaultKind)
            message = f"Invalid fault kind: {value['kind']!r}. Use one of {kinds}."
            raise InvalidParameterError(message) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something a fault may strike at."""

    operation: str | None = None
    vault_name: str | None = None
    archive_id: str | None = None
    description: str | None = None
    action: str | None = None


class Faults:
    """The faults in force, and the throttle. Safe to use from several threads."""

    def __init__(self, clock: Clock, *, seed: int | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311  # repeatable accidents, no secrets
        self._faults: list[Fault] = []
        self._rate: float | None = None
        self._operations: frozenset[str] = frozenset()
        self._tokens = 0.0
        self._refilled = 0.0

    def add(self, *faults: Fault) -> None:
        """Put faults in force after those there are."""
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        """No faults, no throttle."""
        with self._lock:
            self._faults.clear()
            self._rate = None
            self._random.seed(self._seed)

    def throttle(self, requests_per_second: float | None, operations: frozenset[str] = frozenset()) -> None:
        """Answer more requests per second than this with ThrottlingException; None lifts the limit.

        One bucket serves all ``operations`` named (all there are, if none is). It holds one second's worth.
        """
        with self._lock:
            self._rate = requests_per_second
            self._operations = operations
            self._tokens = requests_per_second or 0.0
            self._refilled = self._clock.now()

    def admit(self, operation: str) -> None:
        """Count a request against the throttle.

        Raises:
            ThrottledError: the bucket is empty.
        """
        with self._lock:
            if self._rate is None or (self._operations and operation not in self._operations):
                return
            now = self._clock.now()
            refill = max(0.0, now - self._refilled) * self._rate
            self._tokens = min(max(self._rate, 1.0), self._tokens + refill)
            self._refilled = now
            if self._tokens < 1.0:
                message = "Rate exceeded"
                raise ThrottledError(message)
            self._tokens -= 1.0

    def armed(self, kind: FaultKind) -> bool:
        """Whether any fault of this kind is in force; saves finding out what an event is about."""
        with self._lock:
            return any(fault.kind is kind and fault.times != 0 for fault in self._faults)

    def strike(self, kind: FaultKind, event: Event) -> Fault | None:
        """The fault of this kind that strikes at ``event``, counted; None if all goes well."""
        if not self._faults:
            return None
        with self._lock:
            for position, fault in enumerate(self._faults):
                if fault.kind is not kind or fault.times == 0 or not fault.concerns(event):
                    continue
                if fault.after:
                    self._faults[position] = replace(fault, after=fault.after - 1)
                    continue
                if fault.probability < 1.0 and self._random.random() >= fault.probability:
                    continue
                if fault.times is not None:
                    self._faults[position] = replace(fault, times=fault.times - 1)
                return fault
        return None

    def to_json(self) -> dict[str, Any]:
        """Faults with what is left of them, and the throttle."""
        with self._lock:
            return {
                "faults": [fault.to_json() for fault in self._faults],
                "throttle": {
                    "requests_per_second": self._rate,
                    "operations": sorted(self._operations),
                },
                "seed": self._seed,
            }

    def load_json(self, document: dict[str, Any]) -> None:
        """Replace everything by what ``to_json`` would give; what is left out is cleared.

        Raises:
            InvalidParameterError: the document is malformed; nothing is changed then.
        """
        unknown = set(document) - {"faults", "throttle", "seed"}
        if unknown:
            message = f"Invalid faults: unknown {sorted(unknown)}. Use 'faults', 'throttle' and 'seed'."
            raise InvalidParameterError(message)
        faults = [Fault.from_json(value) for value in document.get("faults") or []]
        throttle = document.get("throttle") or {}
        with self._lock:
            self._faults = faults
            self._seed = document.get("seed", self._seed)
            self._random.seed(self._seed)
        self.throttle(throttle.get("requests_per_second"), frozenset(throttle.get("operations") or ()))
