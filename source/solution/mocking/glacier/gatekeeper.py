"""Who may call the mock in an account: whoever signs with an access key of that account.

Glacier's clients sign for the service ``glacier``, which API Gateway's own IAM authorization does not take. The key's
account is asked of STS ("GetAccessKeyInfo", AWS STS API Reference); no permission is needed for that. The signature
itself is not checked: this keeps strangers off a test service, it does not guard anything worth more.
"""

from __future__ import annotations

import functools
import os
import re
from typing import Any

_ACCESS_KEY = re.compile(r"Credential=(?P<key>[A-Z0-9]{16,128})/")


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """A token authorizer of API Gateway: allows the whole API or denies it."""
    key = access_key(str(event.get("authorizationToken", "")))
    allowed = key is not None and _account_of(key) == os.environ["ACCOUNT_ID"]
    return policy(event["methodArn"], key or "unsigned", allowed=allowed)


def access_key(authorization: str) -> str | None:
    """The access key id of a SigV4 ``Authorization`` header, or None."""
    found = _ACCESS_KEY.search(authorization)
    return found["key"] if found else None


def policy(method_arn: str, principal: str, *, allowed: bool) -> dict[str, Any]:
    """What the authorizer answers; for every method of the stage, for API Gateway caches it by token."""
    stage = "/".join(method_arn.split("/")[:2])
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if allowed else "Deny",
        "Resource": f"{stage}/*",
    }
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }


@functools.cache
def _account_of(key: str) -> str | None:
    import boto3  # noqa: PLC0415  # the pure functions above are tested without a client
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        return str(boto3.client("sts").get_access_key_info(AccessKeyId=key)["Account"])
    except ClientError:
        return None
