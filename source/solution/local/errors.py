"""What the local AWS raises: always a cause and a remedy, so that a person knows what to do next.

::

    NotPossible (domain)
    └── LocalAwsError            something about this machine, folder or port forbids it
        ├── IncompatibleEmulatorError the installed MiniStack is not the one that our patches were written for
        ├── DeploymentError      a stack could not be created or updated
        └── SynthesisError       the templates could not be made
"""

from __future__ import annotations

from solution.domain.errors import NotPossible


class LocalAwsError(NotPossible):
    """The local AWS cannot do what was asked.

    Attributes:
        cause: what is wrong, naming the value.
        remedy: what the person can do about it.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause}. {remedy}.")
        self.cause = cause
        self.remedy = remedy


class IncompatibleEmulatorError(LocalAwsError):
    """A name of MiniStack that we replace is missing or has another shape."""


class DeploymentError(LocalAwsError):
    """A stack could not be created or updated; the cause names the first resource that failed."""


class SynthesisError(LocalAwsError):
    """The CDK application could not be synthesised."""
