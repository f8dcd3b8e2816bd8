"""What is refused before anything is started, and the environment of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from solution.local import Instance, LocalAwsError, State
from solution.local.settings import Folders, GatewaySettings, emulator_environment, server_environment


def settings(root: Path, **changes: float) -> GatewaySettings:
    """Settings on a folder."""
    return GatewaySettings(port=int(changes.get("port", 4566)), folders=Folders(root=root))


def test_an_impossible_port_or_time_factor_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="port 70000 is not a TCP port"):
        Instance(tmp_path).start(port=70000)
    with pytest.raises(LocalAwsError, match=r"time factor 0\.5 is below 1"):
        Instance(tmp_path).start(time_factor=0.5)
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalAwsError, match=r"state folder .*/file cannot be used: .* choose another --state-dir"):
        Instance(tmp_path / "file").start()


def test_a_broken_record_is_told_instead_of_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text("{")
    with pytest.raises(LocalAwsError, match=r"state folder .* is broken: instance\.json is no record"):
        Instance(tmp_path).status()


def test_a_missing_package_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("solution.local.instance._NEEDED", ("boto3", "no_such_package"))
    with pytest.raises(LocalAwsError, match=r"not installed: no_such_package\. Run: pip install"):
        Instance(tmp_path).start()
    assert not (tmp_path / "instance.json").exists()


def test_an_instance_that_was_never_started_is_stopped(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "never")
    assert instance.status().state is State.STOPPED
    assert instance.stop() is False
    assert not (tmp_path / "never").exists()


def test_the_server_keeps_nothing_of_the_callers_environment_but_the_harmless(tmp_path: Path) -> None:
    outer = {"PATH": "/bin", "AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "secret", "PYTHONPATH": "/mine", "LANG": "C"}
    found = server_environment(settings(tmp_path), outer)
    assert (found["PATH"], found["LANG"]) == ("/bin", "C")
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PYTHONPATH"} & set(found)
    assert found["AUTH"] == "true"


def test_every_folder_of_the_emulator_lies_in_the_state_folder(tmp_path: Path) -> None:
    found = emulator_environment(settings(tmp_path))
    assert {found["STATE_DIR"], found["S3_DATA_DIR"]} == {str(tmp_path / "emulator"), str(tmp_path / "s3")}
