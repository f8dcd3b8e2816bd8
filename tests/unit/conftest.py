"""Unit tests reach nothing outside their process: a socket is an error."""

from __future__ import annotations

import pytest_socket


def pytest_runtest_setup() -> None:
    """Before each test."""
    pytest_socket.disable_socket(allow_unix_socket=True)
