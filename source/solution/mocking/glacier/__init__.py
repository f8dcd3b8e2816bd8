"""Amazon S3 Glacier over HTTP: the API of 2012-06-01, on disk, with a settable clock and faults on demand.

Here live the operations, the store and the adapters to web servers; sample vaults live in
``solution.mocking.vaults``.

Entry points::

    GlacierService(data_dir, *, settings=None, clock=None, notifier=None)
        .handle(Request) -> Response          async; the core, free of any web server
        .create_vault(name, virtual=None)     past the API, for tests and samples
        .add_archive(vault_name, content, *, description="", created=None, archive_id=None) -> archive id
        .start() / .close()                   background threads: completions, notifications
        .run_due() -> int                     the same, once, by hand
        .faults, .statistics, .clock, .settings
    Request(method=, path=, query=, headers=, body=bytes | AsyncIterator[bytes])
    Response: status, headers, body (bytes | Iterator[bytes]); .read() gives all bytes
    GlacierSettings(account_id=, region=, time_factor=, staging=, inventory_staging=, window=, seed=, ...)
    Fault(kind=FaultKind..., archive_id=, description=, operation=, times=, probability=, ...)
    ManualClock(start).advance(seconds); SystemClock()
    Notifier (protocol): publish(topic_arn, message); RecordingNotifier, SilentNotifier
    asgi.GlacierApp(service); asgi.serve(data_dir, port=0, ...) as running: running.url, running.service
    sns.SnsNotifier(boto3 client); lambda_handler.handler(event, context)
    mocking.vaults.samples.fill(service, "awkward", vault_name=...) -> archive ids
    mocking.vaults.virtual.VirtualVault / VirtualContent / Pattern
"""

from __future__ import annotations

from solution.mocking.glacier.clock import Clock, ManualClock, SystemClock
from solution.mocking.glacier.errors import GlacierError
from solution.mocking.glacier.faults import Fault, FaultKind, Faults
from solution.mocking.glacier.messages import ReadCutShortError, Request, Response
from solution.mocking.glacier.notifications import Notifier, RecordingNotifier, SilentNotifier
from solution.mocking.glacier.service import GlacierService
from solution.mocking.glacier.settings import GlacierSettings, Staging, Tier

__all__ = [
    "Clock",
    "Fault",
    "FaultKind",
    "Faults",
    "GlacierError",
    "GlacierService",
    "GlacierSettings",
    "ManualClock",
    "Notifier",
    "ReadCutShortError",
    "RecordingNotifier",
    "Request",
    "Response",
    "SilentNotifier",
    "Staging",
    "SystemClock",
    "Tier",
]
