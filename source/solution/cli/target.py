"""Which AWS a command acts on: an account, or the local one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ProfileNotFound

from solution import SOLUTION_NAME, USER_AGENT_EXTRA
from solution.cli.failures import EnvironmentProblem

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glacier import GlacierClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

STACK_NAME: Final = "solution"
_CONNECTIONS: Final = 32


class Target:
    """Clients of one AWS, made once each, and the outputs of the deployed stack."""

    def __init__(self, session: boto3.Session, *, endpoint_url: str | None = None, stack: str = STACK_NAME) -> None:
        self._session = session
        self._endpoint_url = endpoint_url
        self._stack = stack
        self._config = Config(
            user_agent_extra=USER_AGENT_EXTRA,
            retries={"mode": "standard", "max_attempts": 6},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=_CONNECTIONS,
        )

    def _client(self, service: str) -> Any:
        # boto3's stubs overload this by literal name; each property below states the type it makes.
        return self._session.client(service, endpoint_url=self._endpoint_url, config=self._config)  # type: ignore[call-overload]

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def glacier(self) -> GlacierClient:
        """S3 Glacier."""
        client: GlacierClient = self._client("glacier")
        return client

    @cached_property
    def s3(self) -> S3Client:
        """S3."""
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def ssm(self) -> SSMClient:
        """Systems Manager."""
        client: SSMClient = self._client("ssm")
        return client

    @cached_property
    def stepfunctions(self) -> SFNClient:
        """Step Functions."""
        client: SFNClient = self._client("stepfunctions")
        return client

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """Outputs of the deployed stack by name."""
        try:
            stacks = self.cloudformation.describe_stacks(StackName=self._stack)["Stacks"]
        except ClientError as error:
            if error.response["Error"].get("Code") == "ValidationError":
                raise self._not_deployed() from error
            raise
        if not stacks:
            raise self._not_deployed()
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}

    def output(self, name: str) -> str:
        """One output of the stack; raises `EnvironmentProblem` when it has none of this name."""
        try:
            return self.outputs[name]
        except KeyError:
            raise EnvironmentProblem(
                f"stack {self._stack!r} has no output {name!r}: deploy this version of {SOLUTION_NAME} (cdk deploy)"
            ) from None

    def _not_deployed(self) -> EnvironmentProblem:
        return EnvironmentProblem(
            f"stack {self._stack!r} is not deployed in {self._session.region_name}: "
            "deploy it (npx cdk deploy solution), or choose another --region, --profile or --stack"
        )


def choose_target(
    *, local: bool, state_dir: Path | None, profile: str | None, region: str | None, stack: str = STACK_NAME
) -> Target:
    """The AWS that the options name.

    Raises:
        EnvironmentProblem: the profile is unknown, or the local AWS is not installed or not running.
    """
    if local or state_dir is not None:
        return local_target(state_dir, stack=stack)
    try:
        return Target(boto3.Session(profile_name=profile, region_name=region), stack=stack)
    except ProfileNotFound as error:
        raise EnvironmentProblem(f"{error}: choose one of your profiles with --profile") from error


def local_target(state_dir: Path | None, *, stack: str = STACK_NAME) -> Target:
    """The local AWS that runs on a state folder (None: the default folder)."""
    from solution.cli.local import local_environment  # noqa: PLC0415 - the local AWS is an optional extra

    return target_of(local_environment(state_dir), stack=stack)


def target_of(environment: Mapping[str, str], *, stack: str = STACK_NAME) -> Target:
    """The AWS that such environment variables name (``local env`` prints them)."""
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    return Target(session, endpoint_url=environment["AWS_ENDPOINT_URL"], stack=stack)
