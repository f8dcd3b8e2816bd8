"""Documents and automations of Systems Manager, beside MiniStack's own parameters and commands.

Documents come from templates (``AWS::SSM::Document``) or the API and are kept in the state folder, like the
executions. Steps run in ``automation_runner``.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from ministack import app as emulator
from ministack.core import iam_evaluator, router
from ministack.core.responses import get_region
from ministack.services import iam, sts
from ministack.services.cloudformation import provisioners

from solution.local.errors import LocalAwsError
from solution.local.patches.seam import Seam
from solution.local.services.automation_documents import (
    Document,
    DocumentError,
    parse,
    read_parameters,
    substitute,
)
from solution.local.services.automation_runner import Automation, Execution
from solution.local.sessions import ROOT, Credentials, role_session
from solution.local.settings import ACCOUNT_ID, GatewaySettings

Json = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]

_CONTENT_TYPE: Final = "application/x-amz-json-1.1"
_RUNNING: Final = "InProgress"
_DEFAULT_VERSION: Final = "$DEFAULT"
_PAGE: Final = 50
_FILTERS: Final = {
    "DocumentNamePrefix": "DocumentName",
    "ExecutionStatus": "AutomationExecutionStatus",
    "ExecutionId": "AutomationExecutionId",
}


class SystemsManagerDocuments:
    """The service inside the gateway."""

    def __init__(self, settings: GatewaySettings, inner: Any) -> None:
        self._settings = settings
        self._inner = inner
        self._lock = threading.RLock()
        self._automations: dict[str, Automation] = {}
        self._documents_file = settings.folders.automation / "documents.json"
        self._executions_folder = settings.folders.automation / "executions"
        self._executions_folder.mkdir(exist_ok=True)
        self._documents: dict[str, Json] = self._load_documents()
        self._executions: dict[str, Execution] = self._load_executions()
        self._actions: dict[str, Callable[[Json, str], Json]] = {
            "CreateDocument": self._create_document,
            "UpdateDocument": self._update_document,
            "DeleteDocument": self._delete_document,
            "GetDocument": self._get_document,
            "DescribeDocument": self._describe_document,
            "ListDocuments": self._list_documents,
            "StartAutomationExecution": self._start,
            "GetAutomationExecution": self._get_execution,
            "DescribeAutomationExecutions": self._describe_executions,
            "DescribeAutomationStepExecutions": self._describe_steps,
            "StopAutomationExecution": self._stop,
        }

    async def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
    ) -> Any:
        """Answer our actions, hand all others to MiniStack."""
        action = self._actions.get(headers.get("x-amz-target", "").rsplit(".", 1)[-1])
        if action is None:
            return await self._inner(method, path, headers, body, query)
        try:
            with self._lock:
                return _answer(200, action(json.loads(body or b"{}"), router.extract_access_key_id(headers, query)))
        except DocumentError as error:
            return _answer(400, {"__type": error.code, "message": str(error)})

    def close(self) -> None:
        """Cancel what runs."""
        for automation in list(self._automations.values()):
            automation.stop()

    # Documents

    def put(self, name: str, content: str | Json, kind: str) -> None:
        """Create a document, or add a version that becomes the default; the same content adds none."""
        document = parse(content, yaml.safe_load)
        with self._lock:
            kept = self._documents.setdefault(
                name, {"Name": name, "DocumentType": kind, "CreatedDate": time.time(), "Versions": []}
            )
            if not kept["Versions"] or kept["Versions"][-1] != document.text:
                kept["Versions"].append(document.text)
            self._save_documents()

    def remove(self, name: str) -> None:
        """Forget a document; one that does not exist is no error."""
        with self._lock:
            self._documents.pop(name, None)
            self._save_documents()

    def _create_document(self, request: Json, _caller: str) -> Json:
        if request["Name"] in self._documents:
            raise DocumentError("DocumentAlreadyExists", f"Document {request['Name']} already exists.")
        self.put(request["Name"], request["Content"], request.get("DocumentType", "Automation"))
        return {"DocumentDescription": self._description(self._documents[request["Name"]])}

    def _update_document(self, request: Json, _caller: str) -> Json:
        kept = self._document(request)
        self.put(kept["Name"], request["Content"], kept["DocumentType"])
        return {"DocumentDescription": self._description(kept)}

    def _delete_document(self, request: Json, _caller: str) -> Json:
        self.remove(self._document(request)["Name"])
        return {}

    def _get_document(self, request: Json, _caller: str) -> Json:
        kept = self._document(request)
        version = self._version(kept, request.get("DocumentVersion"), "InvalidDocumentVersion")
        return {
            "Name": kept["Name"],
            "DocumentVersion": str(version),
            "Status": "Active",
            "Content": kept["Versions"][version - 1],
            "DocumentType": kept["DocumentType"],
            "DocumentFormat": "JSON",
            "CreatedDate": kept["CreatedDate"],
        }

    def _describe_document(self, request: Json, _caller: str) -> Json:
        return {"Document": self._description(self._document(request))}

    def _list_documents(self, request: Json, _caller: str) -> Json:
        wanted = {entry["Key"]: entry["Values"] for entry in request.get("Filters", [])}
        found = [
            self._description(kept)
            for kept in self._documents.values()
            if _matches(kept["Name"], wanted.get("Name"), prefix=True)
            and _matches(kept["DocumentType"], wanted.get("DocumentType"))
        ]
        return _page(found, request, "DocumentIdentifiers")

    def _document(self, request: Json, code: str = "InvalidDocument") -> Json:
        name = str(request.get("Name") or request.get("DocumentName") or "")
        kept = self._documents.get(name.rsplit(":document/", 1)[-1])
        if kept is None:
            raise DocumentError(code, f"Document with name {name} does not exist.")
        return kept

    def _version(self, kept: Json, asked: Any, code: str) -> int:
        newest = len(kept["Versions"])
        if not asked or str(asked) in {_DEFAULT_VERSION, "$LATEST"}:
            return newest
        if not re.fullmatch(r"\d+", str(asked)) or not 1 <= int(asked) <= newest:
            raise DocumentError(code, f"Document {kept['Name']} has no version {asked}.")
        return int(asked)

    def _description(self, kept: Json) -> Json:
        document = parse(kept["Versions"][-1], yaml.safe_load)
        newest = str(len(kept["Versions"]))
        return {
            "Name": kept["Name"],
            "Owner": ACCOUNT_ID,
            "CreatedDate": kept["CreatedDate"],
            "Status": "Active",
            "DocumentVersion": newest,
            "DefaultVersion": newest,
            "LatestVersion": newest,
            "Description": document.description,
            "DocumentType": kept["DocumentType"],
            "DocumentFormat": "JSON",
            "SchemaVersion": "0.3",
            "PlatformTypes": ["Windows", "Linux", "MacOS"],
            "Parameters": [_declared(name, declared) for name, declared in document.parameters.items()],
        }

    # Automations

    def _start(self, request: Json, caller: str) -> Json:
        kept = self._document(request, "AutomationDefinitionNotFoundException")
        version = self._version(kept, request.get("DocumentVersion"), "AutomationDefinitionVersionNotFoundException")
        document = parse(kept["Versions"][version - 1], yaml.safe_load)
        given = request.get("Parameters", {})
        parameters = read_parameters(document, given)
        credentials = self._credentials(document, parameters, caller)
        record: Execution = {
            "AutomationExecutionId": str(uuid.uuid4()),
            "DocumentName": kept["Name"],
            "DocumentVersion": str(version),
            "ExecutionStartTime": time.time(),
            "AutomationExecutionStatus": _RUNNING,
            "StepExecutions": [],
            "StepExecutionsTruncated": False,
            "Parameters": {
                **{
                    name: _listed(declared["default"])
                    for name, declared in document.parameters.items()
                    if "default" in declared
                },
                **given,
            },
            "Outputs": {},
            "Mode": request.get("Mode", "Auto"),
            "ExecutedBy": iam_evaluator.caller_arn(),
        }
        automation = Automation(
            settings=self._settings,
            document=document,
            record=record,
            parameters=parameters,
            credentials=credentials,
            changed=self._save_execution,
        )
        self._executions[record["AutomationExecutionId"]] = record
        self._automations[record["AutomationExecutionId"]] = automation
        self._save_execution(record)
        automation.start()
        return {"AutomationExecutionId": record["AutomationExecutionId"]}

    def _credentials(self, document: Document, parameters: Mapping[str, Any], caller: str) -> Credentials:
        """Of the role that the document assumes, or else of whoever called."""
        role = str(substitute(document.assume_role, parameters) or "")
        if not role:
            return _callers(caller)
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", role) or not _trusts_systems_manager(role):
            raise DocumentError(
                "InvalidAutomationExecutionParametersException",
                f"The defined assume role is unable to be assumed: {role!r} must exist and trust ssm.amazonaws.com.",
            )
        denied = iam_evaluator.enforce(caller, "iam:PassRole", "iam", get_region(), resource_arn=role)
        if denied is not None:
            raise DocumentError(
                "AccessDeniedException", f"The caller is not authorized to perform: iam:PassRole on {role}."
            )
        return role_session(role, "Automation")

    def _get_execution(self, request: Json, _caller: str) -> Json:
        return {"AutomationExecution": self._execution(request)}

    def _describe_executions(self, request: Json, _caller: str) -> Json:
        wanted = {_FILTERS[entry["Key"]]: entry for entry in request.get("Filters", []) if entry["Key"] in _FILTERS}
        found = [
            {name: value for name, value in record.items() if name not in {"StepExecutions", "Parameters"}}
            for record in sorted(self._executions.values(), key=lambda item: -item["ExecutionStartTime"])
            if all(
                _matches(record[name], entry["Values"], prefix=entry["Key"].endswith("Prefix"))
                for name, entry in wanted.items()
            )
        ]
        return _page(found, request, "AutomationExecutionMetadataList")

    def _describe_steps(self, request: Json, _caller: str) -> Json:
        return _page(self._execution(request)["StepExecutions"], request, "StepExecutions")

    def _stop(self, request: Json, _caller: str) -> Json:
        record = self._execution(request)
        if record["AutomationExecutionStatus"] != _RUNNING:
            raise DocumentError(
                "InvalidAutomationStatusUpdateException",
                f"Automation {record['AutomationExecutionId']} is already {record['AutomationExecutionStatus']}.",
            )
        self._automations[record["AutomationExecutionId"]].stop()
        return {}

    def _execution(self, request: Json) -> Execution:
        asked = str(request.get("AutomationExecutionId", ""))
        record = self._executions.get(asked)
        if record is None:
            raise DocumentError("AutomationExecutionNotFoundException", f"Automation execution {asked} does not exist.")
        return record

    # On disk

    def _load_documents(self) -> dict[str, Json]:
        if not self._documents_file.exists():
            return {}
        return _read(self._documents_file)

    def _save_documents(self) -> None:
        _write(self._documents_file, self._documents)

    def _load_executions(self) -> dict[str, Execution]:
        found = {}
        for path in self._executions_folder.glob("*.json"):
            record: Execution = _read(path)
            if record["AutomationExecutionStatus"] == _RUNNING:
                record["AutomationExecutionStatus"] = "Failed"
                record["FailureMessage"] = "The local AWS was stopped while this automation ran."
            found[record["AutomationExecutionId"]] = record
        return found

    def _save_execution(self, record: Execution) -> None:
        _write(self._executions_folder / f"{record['AutomationExecutionId']}.json", record)
        if record["AutomationExecutionStatus"] != _RUNNING:
            self._automations.pop(record["AutomationExecutionId"], None)


def _read(path: Path) -> Json:
    try:
        found: Json = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LocalAwsError(
            f"The state folder is broken: {path} is not JSON ({error})",
            "Delete that file, or choose another --state-dir",
        ) from error
    return found


def _write(path: Path, value: Any) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)


def _answer(status: int, document: Json) -> Answer:
    return status, {"Content-Type": _CONTENT_TYPE}, json.dumps(document).encode()


def _page(items: list[Json], request: Json, name: str) -> Json:
    start, most = int(request.get("NextToken") or 0), int(request.get("MaxResults") or _PAGE)
    more = {"NextToken": str(start + most)} if start + most < len(items) else {}
    return {name: items[start : start + most], **more}


def _matches(value: str, wanted: list[str] | None, *, prefix: bool = False) -> bool:
    if wanted is None:
        return True
    return any(value.startswith(one.removesuffix("*")) if prefix else value == one for one in wanted)


def _declared(name: str, declared: Mapping[str, Any]) -> Json:
    described = {"Name": name, "Type": declared["type"], "Description": declared.get("description", "")}
    if "default" in declared:
        default = declared["default"]
        described["DefaultValue"] = default if isinstance(default, str) else json.dumps(default)
    return described


def _listed(default: Any) -> list[str]:
    values = default if isinstance(default, list) else [default]
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _callers(access_key: str) -> Credentials:
    session = sts._sessions.get(access_key)
    if not session:
        return ROOT
    return Credentials(
        access_key=access_key,
        secret_key=session["SecretAccessKey"],
        token=session["SessionToken"],
        arn=session["Arn"],
    )


def _trusts_systems_manager(role_arn: str) -> bool:
    role = iam._roles.get(role_arn.rsplit("/", 1)[-1])
    if role is None:
        return False
    policy = role.get("AssumeRolePolicyDocument", {})
    statements = (json.loads(policy) if isinstance(policy, str) else policy).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and "ssm.amazonaws.com" in (
            [services] if isinstance(services, str) else services
        ):
            return True
    return False


def register(settings: GatewaySettings) -> SystemsManagerDocuments:
    """Take over our actions of SSM, and the resource type of documents."""
    Seam(iam_evaluator).require("enforce", "caller_arn")
    Seam(router).require("extract_access_key_id")
    Seam(sts).require("_sessions")
    Seam(iam).require("_roles")
    made = SystemsManagerDocuments(settings, emulator.SERVICE_HANDLERS["ssm"])
    Seam(emulator).set_entry("SERVICE_HANDLERS", "ssm", made.handle)
    Seam(provisioners).set_entry("_RESOURCE_HANDLERS", "AWS::SSM::Document", _resource_type(made))
    return made


def _resource_type(documents: SystemsManagerDocuments) -> dict[str, Callable[..., Any]]:
    def create(logical_id: str, properties: Json, stack_name: str) -> tuple[str, Json]:
        name = properties.get("Name") or f"{stack_name}-{logical_id}-{uuid.uuid4().hex[:12].upper()}"
        documents.put(name, properties["Content"], properties.get("DocumentType", "Command"))
        return name, {}

    def update(made: str, _old: Json, new: Json, _stack_name: str) -> tuple[str, Json]:
        documents.put(made, new["Content"], new.get("DocumentType", "Command"))
        return made, {}

    return {"create": create, "update": update, "delete": lambda made, _properties: documents.remove(made)}
