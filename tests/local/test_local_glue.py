"""Glue jobs are run by Spark, as their role, with what lies in S3."""

from __future__ import annotations

import io
import json
import textwrap
import zipfile
from typing import Any

from tests.local.support import LocalAws, allow, unique, until

SCRIPT = """
import sys
import boto3
from awsglue.utils import getResolvedOptions
from pyspark import SparkContext
import library

options = getResolvedOptions(sys.argv, ["bucket", "JOB_NAME", "topic"])
bucket = options["bucket"]
keys = [entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix="in/")["Contents"]]

def total(key):
    text = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return sum(map(int, text.split()[1:]))

found = SparkContext.getOrCreate().parallelize(keys, 2).map(total).sum()
boto3.client("s3").put_object(Bucket=bucket, Key="out/total", Body=str(found).encode())
boto3.client("sns").publish(TopicArn=options["topic"], Message="done")
print("greeting", library.greeting(options["JOB_NAME"]))
try:
    import solution
except ImportError:
    print("nothing of the solution is found")
"""


def job(aws: LocalAws, script: str, *statements: dict[str, Any], code: str, **arguments: str) -> str:
    """Name of a new job whose script and library lie in the bucket ``code``."""
    s3, name = aws.client("s3"), unique("job")
    s3.put_object(Bucket=code, Key=f"{name}/script.py", Body=textwrap.dedent(script).encode())
    library = io.BytesIO()
    with zipfile.ZipFile(library, "w") as archive:
        archive.writestr("library.py", "def greeting(name): return 'hello ' + name")
    s3.put_object(Bucket=code, Key=f"{name}/library.zip", Body=library.getvalue())
    read_code = allow("s3:GetObject", f"arn:aws:s3:::{code}/*")
    aws.client("glue").create_job(
        Name=name,
        Role=aws.role(read_code, *statements, principal="glue.amazonaws.com"),
        GlueVersion="5.0",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{code}/{name}/script.py"},
        DefaultArguments={"--extra-py-files": f"s3://{code}/{name}/library.zip", **arguments},
    )
    return name


def run_by_machine(aws: LocalAws, name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    """Outcome of a machine that runs the job and waits."""
    states = {
        "Job": {
            "Type": "Task",
            "Resource": "arn:aws:states:::glue:startJobRun.sync",
            "Parameters": {"JobName": name},
            "End": True,
        }
    }
    found: dict[str, Any] = aws.run(aws.machine(states, aws.role(*statements)), timeout=120)
    return found


def test_a_job_reads_and_writes_objects_with_spark_and_nothing_else(aws: LocalAws) -> None:
    data, code = aws.bucket(), aws.bucket()
    s3, glue = aws.client("s3"), aws.client("glue")
    topic = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    s3.put_object(Bucket=data, Key="in/a.csv", Body=b"n\n1\n2\n")
    s3.put_object(Bucket=data, Key="in/deep/b.csv", Body=b"n\n4\n")
    s3.put_object(Bucket=data, Key="in/b.csv", Body=b"n\n39\n")
    name = job(
        aws,
        SCRIPT,
        allow("s3:ListBucket", f"arn:aws:s3:::{data}"),
        allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{data}/*"),
        allow("sns:Publish", topic),
        allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
        code=code,
        **{"--bucket": data, "--topic": topic},
    )
    permission = allow(["glue:StartJobRun", "glue:GetJobRun"], f"arn:aws:glue:us-east-1:000000000000:job/{name}")
    outcome = run_by_machine(aws, name, permission)
    assert outcome["status"] == "SUCCEEDED", outcome
    run = outcome["output"]
    assert run["JobRunState"] == "SUCCEEDED"
    assert s3.get_object(Bucket=data, Key="out/total")["Body"].read() == b"46"
    logs = aws.client("logs").get_log_events(logGroupName="/aws-glue/jobs/output", logStreamName=run["Id"])["events"]
    said = [event["message"] for event in logs]
    assert f"greeting hello {name}" in said
    assert "nothing of the solution is found" in said
    assert glue.get_job_run(JobName=name, RunId=run["Id"])["JobRun"]["ErrorMessage"] == ""


def test_a_failing_job_fails_the_task_with_its_exception(aws: LocalAws) -> None:
    name = job(aws, "raise ValueError('row 7 is broken')", code=aws.bucket())
    outcome = run_by_machine(aws, name, allow(["glue:StartJobRun", "glue:GetJobRun"]))
    assert outcome["error"] == "States.TaskFailed"
    assert json.loads(outcome["cause"])["ErrorMessage"] == "ValueError: row 7 is broken"


def test_a_job_reads_what_its_role_may_read_alone(aws: LocalAws) -> None:
    data = aws.bucket()
    name = job(aws, f"import boto3; boto3.client('s3').list_objects_v2(Bucket={data!r})", code=aws.bucket())
    glue = aws.client("glue")
    run = glue.start_job_run(JobName=name)["JobRunId"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = glue.get_job_run(JobName=name, RunId=run)["JobRun"]
        return None if found["JobRunState"] in {"STARTING", "RUNNING"} else found

    found = until(ended)
    assert found["JobRunState"] == "FAILED"
    assert "AccessDenied" in found["ErrorMessage"]


def test_a_machine_without_the_permission_starts_no_job(aws: LocalAws) -> None:
    name = job(aws, "print('never')", code=aws.bucket())
    assert run_by_machine(aws, name)["error"] == "Glue.AccessDeniedException"


def test_more_runs_than_the_job_allows_are_refused_and_a_run_can_be_stopped(aws: LocalAws) -> None:
    name, glue = job(aws, "import time; time.sleep(60)", code=aws.bucket()), aws.client("glue")
    run = glue.start_job_run(JobName=name)["JobRunId"]
    outcome = run_by_machine(aws, name, allow(["glue:StartJobRun", "glue:GetJobRun"]))
    assert outcome["error"] == "Glue.ConcurrentRunsExceededException"
    glue.batch_stop_job_run(JobName=name, JobRunIds=[run])
    assert glue.get_job_run(JobName=name, RunId=run)["JobRun"]["JobRunState"] == "STOPPED"
