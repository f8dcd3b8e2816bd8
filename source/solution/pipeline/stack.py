"""The ``pipeline`` stack: a self-updating CodePipeline over a CodeCommit repository."""

from __future__ import annotations

from collections.abc import Callable

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_s3 as s3
from aws_cdk import pipelines
from constructs import Construct

from solution.infrastructure.nag import acknowledge, logical_id

SYNTH_COMMANDS = (
    "python3 -m venv .venv",
    ". .venv/bin/activate",
    'pip install -c deployment/constraints.txt ".[dev]"',
    "npm ci",
    "npx cdk synth",
)


class PipelineStack(cdk.Stack):
    """Source, build and test, deploy, on each push to ``branch`` of ``repository_name``.

    ``add_application`` puts the solution into the stage that the pipeline deploys; ``skip_integration_tests`` leaves
    out the step that runs a transfer against the deployed stack.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        repository_name: str,
        branch: str,
        skip_integration_tests: bool,
        add_application: Callable[[cdk.Stage], None],
    ) -> None:
        super().__init__(scope, construct_id, description="Builds, tests and deploys the Glacier vault transfer")
        artifacts = self._artifact_bucket()
        pipeline = pipelines.CodePipeline(
            self,
            "Pipeline",
            artifact_bucket=artifacts,
            pipeline_type=codepipeline.PipelineType.V2,
            synth=self._synth_step(repository_name, branch),
            code_build_defaults=pipelines.CodeBuildOptions(
                build_environment=codebuild.BuildEnvironment(
                    build_image=codebuild.LinuxArmBuildImage.AMAZON_LINUX_2023_STANDARD_3_0
                )
            ),
        )
        stage = cdk.Stage(self, "Deploy")
        add_application(stage)
        post = [] if skip_integration_tests else [self._integration_tests()]
        pipeline.add_stage(stage, pre=[self._unit_tests()], post=post)
        pipeline.build_pipeline()
        cdk.CfnOutput(self, "PipelineName", value=pipeline.pipeline.pipeline_name)
        acknowledge(
            artifacts,
            "AwsSolutions-S1",
            "build artifacts that expire after 30 days and that only the pipeline's roles can read",
        )
        self._accept_generated_grants(pipeline, artifacts)
        acknowledge(
            pipeline,
            "AwsSolutions-CB4",
            "the projects handle public source only; the artifact bucket encrypts what they write",
        )

    def _artifact_bucket(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Artifacts",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(30))],
        )

    def _synth_step(self, repository_name: str, branch: str) -> pipelines.ShellStep:
        repository = codecommit.Repository.from_repository_name(self, "Repository", repository_name)
        return pipelines.ShellStep(
            "Synth",
            input=pipelines.CodePipelineSource.code_commit(repository, branch),
            commands=[
                *SYNTH_COMMANDS[:-1],
                f"{SYNTH_COMMANDS[-1]} -c repository_name={repository_name} -c branch={branch}",
            ],
            primary_output_directory="cdk.out",
        )

    def _unit_tests(self) -> pipelines.ShellStep:
        return pipelines.ShellStep("Test", commands=["deployment/run-tests.sh"])

    def _integration_tests(self) -> pipelines.ShellStep:
        return pipelines.ShellStep("LocalTransfer", commands=["deployment/run-demo.sh"])

    def _accept_generated_grants(self, pipeline: pipelines.CodePipeline, artifacts: s3.Bucket) -> None:
        """Name each wildcard that CDK Pipelines itself generates; a new one still fails the check."""
        actions = ("s3:GetObject*", "s3:GetBucket*", "s3:List*", "s3:DeleteObject*", "s3:Abort*")
        findings = [f"Action::{action}" for action in actions]
        findings += [f"Resource::<{logical_id(artifacts)}.Arn>/*", "Resource::*"]
        findings.append("Resource::arn:*:iam::<AWS::AccountId>:role/*")
        prefix = "Resource::arn:<AWS::Partition>"
        everywhere = f"{prefix}:{{}}:<AWS::Region>:<AWS::AccountId>:{{}}/*"
        # the role that publishes assets serves all asset projects, so it names none
        findings.append(everywhere.format("logs", "log-group:/aws/codebuild"))
        findings.append(everywhere.format("codebuild", "report-group"))
        for construct in pipeline.node.find_all():
            if isinstance(construct, codebuild.CfnProject):
                project = self.get_logical_id(construct)
                place = "<AWS::Region>:<AWS::AccountId>"
                findings.append(f"{prefix}:logs:{place}:log-group:/aws/codebuild/<{project}>:*")
                findings.append(f"{prefix}:codebuild:{place}:report-group/<{project}>-*")
        for finding in findings:
            acknowledge(
                pipeline,
                f"AwsSolutions-IAM5[{finding}]",
                "CDK Pipelines grants its build roles the artifacts, their own logs and reports, and bootstrap roles",
            )
