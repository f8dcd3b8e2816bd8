"""S3 refuses a request whose expected bucket owner is another account; MiniStack accepts it.

*Verifying bucket ownership with bucket owner condition*, Amazon S3 User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ministack import app as emulator
from ministack.services import s3

from solution.local.patches.seam import Seam
from solution.local.settings import ACCOUNT_ID

_HEADERS: Final = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")


def apply() -> None:
    """Compare the headers before MiniStack's S3 sees the request."""
    Seam(s3).require("_error", "_buckets")
    inner = emulator.SERVICE_HANDLERS["s3"]

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
    ) -> Any:
        expected = {headers[name] for name in _HEADERS if name in headers}
        known = path.strip("/").split("/")[0] in s3._buckets
        if known and not expected <= {ACCOUNT_ID}:
            return s3._error("AccessDenied", "Access Denied", 403)
        return await inner(method, path, headers, body, query)

    Seam(emulator).set_entry("SERVICE_HANDLERS", "s3", handle)
