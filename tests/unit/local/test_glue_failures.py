"""Which words of a Spark driver's output become the reason of a failed Glue job."""

from __future__ import annotations

import pytest

from solution.local.services.glue_spark import last_exception, log_folder

TRACE = """24/01/01 12:00:00 WARN NativeCodeLoader: Unable to load native-hadoop library
Traceback (most recent call last):
  File "main.py", line 40, in <module>
    main()
  File "job.py", line 9, in run
    raise InvalidInput("there is no inventory")
"""
FIRST = "solution.domain.errors.InvalidInput: there is no inventory"


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (f"{TRACE}{FIRST}\n", "InvalidInput: there is no inventory"),
        (
            f"{TRACE}{FIRST}\n24/01/01 INFO ShutdownHookManager: Shutdown hook called\n",
            "InvalidInput: there is no inventory",
        ),
        (f"{TRACE}ValueError: row 7 is broken\n", "ValueError: row 7 is broken"),
        (f"{TRACE}KeyError\n", "KeyError"),
        (
            f"{TRACE}{FIRST}\n\nDuring handling of it:\n\n{TRACE}OSError: no\n",
            "OSError: no",
        ),
        (f"{TRACE}a.B: s3://bucket/run.1/x.csv: is wrong\n", "B: s3://bucket/run.1/x.csv: is wrong"),
        ("Killed\n", "Killed"),
        ("", ""),
    ],
)
def test_the_last_traceback_names_the_reason(errors: str, reason: str) -> None:
    assert last_exception(errors) == reason


def test_logs_lie_where_glue_puts_them() -> None:
    job = {"Role": "arn:aws:iam::111122223333:role/the-role"}
    assert log_folder(job) == "/aws-glue/jobs"
    assert log_folder({**job, "SecurityConfiguration": "safe"}) == "/aws-glue/jobs/safe-role/the-role"
