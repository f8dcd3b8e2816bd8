"""Exit codes, and the one place where an error becomes a sentence."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from solution.cli.console import complain
from solution.domain.errors import InvalidInput, NotPossible, TransferError


class ExitCode(IntEnum):
    """What a caller's script can rely on; see the package's docstring."""

    OK = 0
    DIFFERENT = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 130


class EnvironmentProblem(TransferError):  # noqa: N818 - reads as the statement it makes
    """The machine, the account or the installation is not as this command needs it."""


class TransferIncomplete(TransferError):  # noqa: N818
    """The run did not copy everything."""


_REMEDIES = {
    "ExpiredToken": "Renew the credentials",
    "ExpiredTokenException": "Renew the credentials",
    "UnrecognizedClientException": "Check the credentials and the region",
    "InvalidClientTokenId": "Check the credentials",
    "SignatureDoesNotMatch": "Check the secret access key and this machine's clock",
    "AccessDenied": "Use credentials that may do this",
    "AccessDeniedException": "Use credentials that may do this",
}

_debugging = False


def show_tracebacks(wanted: bool) -> None:
    """Whether errors are shown with their traceback (``--debug``)."""
    global _debugging  # noqa: PLW0603 - one process, one command line
    _debugging = wanted


def sentence(error: BaseException) -> str:
    """What went wrong and what to do about it, in one line."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "an error")
        text = error.response["Error"].get("Message", "").strip().rstrip(".")
        remedy = _REMEDIES.get(code, "Run the command again with --debug to see where")
        return f"AWS answered {error.operation_name} with {code}: {text}. {remedy}."
    if isinstance(error, NoCredentialsError):
        return "No AWS credentials were found. Log in, set AWS_PROFILE, or add --local to use the local AWS."
    if isinstance(error, NoRegionError):
        return "No AWS region is set. Add --region, or set AWS_REGION."
    if isinstance(error, EndpointConnectionError):
        return f"{str(error).rstrip('.')}. Check the region and the network; for the local AWS, run: local up."
    return " ".join(str(error).split())


def exit_code(error: BaseException) -> ExitCode:
    """Which exit code an error stands for."""
    # The local AWS's errors are NotPossible, but about the machine; its module may not be installed.
    environmental = any(kind.__name__ == "LocalAwsError" for kind in type(error).__mro__)
    if environmental or isinstance(error, EnvironmentProblem | ClientError | BotoCoreError):
        return ExitCode.ENVIRONMENT
    if isinstance(error, InvalidInput | NotPossible):
        return ExitCode.USAGE
    return ExitCode.DIFFERENT


def guarded(command: Callable[[], None]) -> None:
    """Run the command line; expected errors end the process with a sentence on stderr and their exit code."""
    try:
        command()
    except (TransferError, ClientError, BotoCoreError) as error:
        if _debugging:
            traceback.print_exc()
        complain(sentence(error))
        sys.exit(exit_code(error))
