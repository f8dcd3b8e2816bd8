"""The ``mock-glacier`` stack: the mock as one Lambda function behind an API, for tests in an AWS account.

``EndpointUrl`` goes into the ``GlacierEndpointUrl`` parameter of the ``solution`` stack. Data lies on EFS, so vaults
outlive execution environments; one function instance at a time writes it. Bodies are bounded by Lambda's payload
(4 MiB each way), so this stack serves vaults of small archives; larger ones belong to the local server.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from solution.infrastructure.nag import acknowledge

MOUNT_PATH = "/mnt/glacier"


class MockGlacierStack(cdk.Stack):
    """API, function, file system. ``code`` holds ``solution.domain`` and ``solution.mocking``."""

    def __init__(self, scope: Construct, construct_id: str, *, code: lambda_.Code) -> None:
        super().__init__(scope, construct_id, description="A Glacier service of our own, for tests in an account")
        time_factor = cdk.CfnParameter(
            self,
            "TimeFactor",
            type="Number",
            default=3600,
            min_value=1,
            description="How much faster than Glacier's the mock's hours pass; 3600 makes an hour a second",
        )
        vpc, notifications = self._network()
        access_point = self._file_system(vpc)
        function = self._function(code, vpc, access_point, time_factor)
        notifications.connections.allow_default_port_from(function)
        self._let_time_pass(function)
        api = self._api(code, function)
        cdk.CfnOutput(self, "EndpointUrl", value=api.url, description="GlacierEndpointUrl of the solution stack")

    def _network(self) -> tuple[ec2.Vpc, ec2.InterfaceVpcEndpoint]:
        vpc = ec2.Vpc(
            self,
            "Network",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26)
            ],
            flow_logs={"Rejected": ec2.FlowLogOptions(traffic_type=ec2.FlowLogTrafficType.REJECT)},
        )
        # Notifications are the only thing that leaves the network.
        endpoint = vpc.add_interface_endpoint("Sns", service=ec2.InterfaceVpcEndpointAwsService.SNS, open=False)
        return vpc, endpoint

    def _file_system(self, vpc: ec2.Vpc) -> efs.AccessPoint:
        file_system = efs.FileSystem(
            self,
            "Files",
            vpc=vpc,
            encrypted=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            throughput_mode=efs.ThroughputMode.ELASTIC,
        )
        return file_system.add_access_point(
            "Data",
            path="/glacier",
            create_acl=efs.Acl(owner_gid="1001", owner_uid="1001", permissions="750"),
            posix_user=efs.PosixUser(gid="1001", uid="1001"),
        )

    def _function(
        self, code: lambda_.Code, vpc: ec2.Vpc, access_point: efs.AccessPoint, time_factor: cdk.CfnParameter
    ) -> lambda_.Function:
        role = self._role("MockGlacier", in_network=True)
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                resources=[f"arn:{cdk.Aws.PARTITION}:sns:{self.region}:{self.account}:*"],
            )
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:sns:<AWS::Region>:<AWS::AccountId>:*]",
            "like Glacier, the mock publishes to whatever topic of this account a job names",
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            "the file system grant of CDK is narrowed by its access point condition",
        )
        return lambda_.Function(
            self,
            "MockGlacier",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler="solution.mocking.glacier.lambda_handler.handler",
            code=code,
            role=role,
            memory_size=1024,
            timeout=cdk.Duration.seconds(29),
            # One writer: the metadata is a single database file.
            reserved_concurrent_executions=1,
            vpc=vpc,
            allow_all_outbound=False,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            filesystem=lambda_.FileSystem.from_efs_access_point(access_point, MOUNT_PATH),
            environment={
                "MOCK_GLACIER_DATA_DIR": MOUNT_PATH,
                "MOCK_GLACIER_NETWORK_DISK": "true",
                "MOCK_GLACIER_TIME_FACTOR": time_factor.value_as_string,
            },
            log_group=self._log_group("MockGlacier"),
        )

    def _role(self, name: str, *, in_network: bool) -> iam.Role:
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[
                    f"arn:{cdk.Aws.PARTITION}:logs:{self.region}:{self.account}:log-group:/{self.stack_name}/{name}:*"
                ],
            )
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:"
            f"log-group:/{self.stack_name}/{name}:*]",
            "the streams of the function's own log group",
        )
        if in_network:
            role.add_managed_policy(
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWSLambdaVPCAccessExecutionRole")
            )
            acknowledge(
                role,
                "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                "AWSLambdaVPCAccessExecutionRole]",
                "network interfaces of functions cannot be named beforehand; AWS's own policy is the documented way",
            )
        return role

    def _log_group(self, name: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            f"{name}Logs",
            log_group_name=f"/{self.stack_name}/{name}",
            retention=logs.RetentionDays.ONE_WEEK,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _let_time_pass(self, function: lambda_.Function) -> None:
        """Jobs complete without anybody calling, once a minute."""
        events.Rule(
            self,
            "Minute",
            schedule=events.Schedule.rate(cdk.Duration.minutes(1)),
            targets=[targets.LambdaFunction(function)],
        )

    def _api(self, code: lambda_.Code, function: lambda_.Function) -> apigateway.LambdaRestApi:
        """A proxy for every path, for callers whose access key is of this account."""
        gatekeeper = lambda_.Function(
            self,
            "Gatekeeper",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler="solution.mocking.glacier.gatekeeper.handler",
            code=code,
            role=self._role("Gatekeeper", in_network=False),
            timeout=cdk.Duration.seconds(10),
            environment={"ACCOUNT_ID": self.account},
            log_group=self._log_group("Gatekeeper"),
        )
        api = apigateway.LambdaRestApi(
            self,
            "Api",
            handler=function,
            proxy=True,
            binary_media_types=["*/*"],
            cloud_watch_role=False,
            default_method_options=apigateway.MethodOptions(
                authorization_type=apigateway.AuthorizationType.CUSTOM,
                authorizer=apigateway.TokenAuthorizer(
                    self,
                    "SameAccount",
                    handler=gatekeeper,
                    identity_source=apigateway.IdentitySource.header("Authorization"),
                ),
            ),
            deploy_options=apigateway.StageOptions(
                throttling_rate_limit=200,
                throttling_burst_limit=400,
                access_log_destination=apigateway.LogGroupLogDestination(self._log_group("Api")),
                access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                    caller=False,
                    http_method=True,
                    ip=True,
                    protocol=True,
                    request_time=True,
                    resource_path=True,
                    response_length=True,
                    status=True,
                    user=False,
                ),
            ),
        )
        for rule, reason in (
            ("AwsSolutions-APIG2", "the mock answers malformed requests with Glacier's own errors, as clients expect"),
            ("AwsSolutions-APIG3", "a test service that only callers of this account reach; a web ACL adds cost alone"),
            ("AwsSolutions-APIG6", "access logs are on; execution logging needs an account-wide role"),
            ("AwsSolutions-COG4", "callers are AWS clients signing as Glacier's; the gatekeeper checks their account"),
        ):
            acknowledge(api, rule, reason)
        return api
