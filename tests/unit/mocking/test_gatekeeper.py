"""Only callers of the same account reach the mock that runs in an account."""

from __future__ import annotations

import pytest

from solution.mocking.glacier import gatekeeper

METHOD = "arn:aws:execute-api:eu-west-1:123456789012:abc123/prod/GET/-/vaults"
SIGNED = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261120/eu-west-1/glacier/aws4_request, SignedHeaders=host"


@pytest.fixture
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNT_ID", "123456789012")
    accounts = {"AKIAIOSFODNN7EXAMPLE": "123456789012", "AKIASTRANGEREXAMPLE1": "999999999999"}
    monkeypatch.setattr(gatekeeper, "_account_of", accounts.get)


@pytest.mark.usefixtures("_account")
@pytest.mark.parametrize(
    ("token", "effect"),
    [
        (SIGNED, "Allow"),
        (SIGNED.replace("AKIAIOSFODNN7EXAMPLE", "AKIASTRANGEREXAMPLE1"), "Deny"),
        (SIGNED.replace("AKIAIOSFODNN7EXAMPLE", "AKIAUNKNOWNKEY000000"), "Deny"),
        ("", "Deny"),
        ("Bearer abc", "Deny"),
    ],
)
def test_only_keys_of_this_account_are_let_in(token: str, effect: str) -> None:
    answer = gatekeeper.handler({"authorizationToken": token, "methodArn": METHOD}, None)
    assert answer["policyDocument"]["Statement"][0]["Effect"] == effect


@pytest.mark.usefixtures("_account")
def test_the_answer_holds_for_every_method_of_the_stage() -> None:
    answer = gatekeeper.handler({"authorizationToken": SIGNED, "methodArn": METHOD}, None)
    assert answer["policyDocument"]["Statement"][0]["Resource"] == (
        "arn:aws:execute-api:eu-west-1:123456789012:abc123/prod/*"
    )
