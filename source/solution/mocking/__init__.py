"""A Glacier service of our own, with vaults to fill it: for tests, for the demo and for test stacks in AWS.

The service lives in ``glacier``, sample and virtual vaults in ``vaults``, the CDK stack that hosts the mock
in an AWS account in ``stack.py``. Nothing of the product imports this package: production code gets an
endpoint URL and never learns whether it is mocked.
"""
