"""The interpreter of functions has boto3 and what it needs, no more."""

from __future__ import annotations

import subprocess
from pathlib import Path

from solution.local.interpreter import function_python


def test_it_is_built_once_and_imports_boto3_alone(tmp_path: Path) -> None:
    python = function_python(tmp_path)
    made = python.stat().st_ctime_ns
    script = (
        "import importlib.metadata as m, boto3, importlib.util as u\n"
        "print(sorted(d.name for d in m.distributions()), u.find_spec('solution'), u.find_spec('pip'))"
    )
    command = [str(python), "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={})  # noqa: S603 - our own text
    names = ["boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"]
    assert done.stdout.strip() == f"{names} None None"
    assert function_python(tmp_path).stat().st_ctime_ns == made
    assert [path.name for path in tmp_path.iterdir()] == [python.parents[1].name], "no draft is left"
