"""Cloud assemblies as files: what ``cdk synth`` leaves, without the CDK."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from solution.local.errors import SynthesisError

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold: the same folder gives the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAsset:
    """A file or folder that a template refers to.

    Attributes:
        path: where it lies.
        zipped: it is uploaded as a zip file.
        bucket: the staging bucket, with pseudo parameters such as ``${AWS::AccountId}``.
        key: object key there.
    """

    path: Path
    zipped: bool
    bucket: str
    key: str

    def body(self) -> bytes:
        """What is uploaded; the same bytes for the same content."""
        if not self.zipped:
            return self.path.read_bytes()
        return self.path.read_bytes() if self.path.is_file() else zip_folder(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackArtifact:
    """One synthesised stack.

    Attributes:
        stack_id: artifact id, the name given on the command line.
        name: name of the stack in CloudFormation.
        template: the template's text, unchanged.
        assets: files that it refers to, without the template itself.
    """

    stack_id: str
    name: str
    template: str
    assets: tuple[FileAsset, ...]

    def parameters(self) -> dict[str, dict[str, Any]]:
        """The template's parameters: their properties by name."""
        found: dict[str, dict[str, Any]] = json.loads(self.template).get("Parameters", {})
        return found


def zip_folder(folder: Path) -> bytes:
    """A folder as a zip file, in a fixed order and with a fixed time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (path.stat().st_mode & 0xFFFF) << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def synthesise(outdir: Path, context: Mapping[str, str] | None = None) -> Path:
    """Make the cloud assembly of the whole application in a folder.

    It runs in a process of its own: the local AWS reads templates as files and never imports the CDK.

    Raises:
        SynthesisError: with the last lines that the application printed.
    """
    command = [sys.executable, "-m", "solution.infrastructure.synthesis", "--outdir", str(outdir)]
    for name, value in (context or {}).items():
        command += ["--context", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode != 0:
        last = " / ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        raise SynthesisError(
            f"The CDK application cannot be synthesised: {last}",
            'Run: pip install ".[dev]", then: npx cdk synth, and read its output',
        )
    return outdir


def read_stack(assembly: Path, stack_id: str) -> StackArtifact:
    """Read one stack of an assembly.

    Args:
        assembly: folder with ``manifest.json``.
        stack_id: artifact id or stack name.

    Raises:
        SynthesisError: the folder is no assembly, or has no such stack.
    """
    manifest = _json(assembly / "manifest.json")
    stacks = {
        name: artifact
        for name, artifact in manifest.get("artifacts", {}).items()
        if artifact.get("type") == "aws:cloudformation:stack"
    }
    for name, artifact in stacks.items():
        properties = artifact["properties"]
        stack_name = properties.get("stackName", name)
        if stack_id in {name, stack_name, artifact.get("displayName")}:
            template = (assembly / properties["templateFile"]).read_text()
            assets = tuple(_assets(assembly, manifest, artifact))
            return StackArtifact(stack_id=name, name=stack_name, template=template, assets=assets)
    raise SynthesisError(
        f"The assembly {assembly} has no stack {stack_id!r}, only {', '.join(sorted(stacks)) or 'none'}",
        "Name one of these",
    )


def _assets(assembly: Path, manifest: Mapping[str, Any], stack: Mapping[str, Any]) -> Iterator[FileAsset]:
    template = stack["properties"]["templateFile"]
    for name in stack.get("dependencies", []):
        artifact = manifest["artifacts"].get(name, {})
        if artifact.get("type") != "cdk:asset-manifest":
            continue
        for file in _json(assembly / artifact["properties"]["file"]).get("files", {}).values():
            source = file["source"]
            if source.get("path") == template:
                continue
            if "path" not in source:
                raise SynthesisError(
                    f"An asset is made by a command ({source.get('executable')})", "Give assets as files or folders"
                )
            for destination in file["destinations"].values():
                yield FileAsset(
                    path=assembly / source["path"],
                    zipped=source.get("packaging") == "zip",
                    bucket=destination["bucketName"],
                    key=destination["objectKey"],
                )


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SynthesisError(
            f"{path} cannot be read as part of a cloud assembly: {error}", "Synthesise again"
        ) from error
    return found
