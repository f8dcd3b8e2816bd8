"""Synthesis of all stacks: ``python -m solution.infrastructure.synthesis --outdir DIR [--context key=value ...]``.

No account is looked up and no container is run; the same sources give the same cloud assembly.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from solution.infrastructure.node_runtime import use_packaged_node

use_packaged_node()

import aws_cdk as cdk  # noqa: E402 - jsii starts Node when it is imported
from aws_cdk import aws_lambda as lambda_  # noqa: E402
from constructs import Construct  # noqa: E402

from solution.domain.errors import InvalidInput  # noqa: E402
from solution.infrastructure import bundle  # noqa: E402
from solution.infrastructure.bundle import Assets  # noqa: E402
from solution.infrastructure.settings import CONTEXT_KEYS, Context  # noqa: E402
from solution.infrastructure.stack import SolutionStack  # noqa: E402
from solution.mocking.stack import MockGlacierStack  # noqa: E402
from solution.object_restore.stack import ObjectRestoreStack  # noqa: E402
from solution.pipeline.stack import PipelineStack  # noqa: E402

SOLUTION = "solution"

FEATURE_FLAGS: dict[str, object] = {
    "@aws-cdk/core:target-partitions": ["aws", "aws-cn", "aws-us-gov"],
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-s3:createDefaultLoggingPolicy": True,
}
"""Here and not in cdk.json, so that every way of synthesising gives the same templates."""


def packaged_assets(folder: Path) -> Assets:
    """Build what the stack ships into ``folder``."""
    functions = bundle.build_lambda_bundle(folder / "functions")
    return Assets(
        function_code=lambda: lambda_.Code.from_asset(str(functions)),
        glue_script=bundle.glue_script(),
        glue_libraries=bundle.build_glue_libraries(folder / "glue" / "solution.zip"),
        runbook_scripts=bundle.runbook_scripts(),
    )


def build_app(outdir: str | None = None, context: Mapping[str, str] | None = None) -> cdk.App:
    """The CDK application with all four stacks; call ``synth`` on it.

    ``context`` adds to what the CDK command line gives. Raises `InvalidInput` for a context value that is not allowed.
    """
    app = cdk.App(outdir=outdir, context={**FEATURE_FLAGS, **(context or {})})
    given = Context.read({key: value for key in CONTEXT_KEYS if (value := app.node.try_get_context(key)) is not None})
    with tempfile.TemporaryDirectory(prefix="glacier-transfer-") as folder:
        # CDK copies assets into the assembly when they are declared
        assets = packaged_assets(Path(folder))

        def add_solution(scope: Construct) -> None:
            SolutionStack(
                scope,
                SOLUTION,
                assets=assets,
                output_bucket_name=given.output_bucket_name,
                stack_name=SOLUTION,
            )

        add_solution(app)
        mock_code = lambda_.Code.from_asset(str(bundle.build_mock_bundle(Path(folder) / "mock")))
        MockGlacierStack(app, "mock-glacier", code=mock_code)
        PipelineStack(
            app,
            "pipeline",
            repository_name=given.repository_name,
            branch=given.branch,
            skip_integration_tests=given.skip_integration_tests,
            add_application=add_solution,
        )
        ObjectRestoreStack(app, "object-restore")
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the cloud assembly."""
    parser = argparse.ArgumentParser(description="Synthesise all stacks into a cloud assembly")
    parser.add_argument("--outdir", required=True, help="folder of the cloud assembly")
    parser.add_argument("--context", action="append", default=[], metavar="KEY=VALUE", help="CDK context")
    options = parser.parse_args(arguments)
    context: dict[str, str] = {}
    for entry in options.context:
        key, separator, value = entry.partition("=")
        if not separator or key not in CONTEXT_KEYS:
            parser.error(f"--context {entry!r} is not KEY=VALUE with KEY one of {', '.join(CONTEXT_KEYS)}")
        context[key] = value
    try:
        build_app(options.outdir, context).synth()
    except InvalidInput as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
