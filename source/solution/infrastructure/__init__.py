"""The CDK application of the vault transfer: deploy time only.

The ``solution`` stack and the constructs it is composed of, the synthesis of all stacks, and the making of the assets
they ship. Nothing here runs in Lambda; functions, Glue job and runbook scripts are taken as files.
"""
