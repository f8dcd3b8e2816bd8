"""MiniStack under our own ASGI application, in one process and on one port.

Imported by ``gateway`` alone, after it has set the environment that MiniStack reads at import.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, cast

from hypercorn.asyncio import serve as serve_asgi
from hypercorn.config import Config
from hypercorn.typing import Framework
from ministack import app as emulator
from ministack.core import lambda_runtime

from solution.local import children, patches, services
from solution.local.errors import LocalAwsError
from solution.local.patches.seam import Seam
from solution.local.services.glacier import ADMIN_PREFIX, LocalGlacier
from solution.local.settings import INSTANCE_PATH, GatewaySettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

_LONGEST_STOP: Final = 8.0
"""Seconds until the state is saved, whatever is still under way."""


def serve(settings: GatewaySettings, *, instance_id: str) -> None:
    """Serve until SIGTERM or SIGINT, then save the state and end every process that was started.

    Raises:
        LocalAwsError: the port is taken, or the installed MiniStack is not the pinned one.
    """
    listener = _listen(settings.port)
    patches.apply(settings)
    Seam(emulator).require("save_all", "_build_persistence_save_dict")
    registered = services.register(settings)
    controls = next(service.admin for service in registered if isinstance(service, LocalGlacier))
    code = 1
    # not asyncio.run: it would wait for every request that is still being answered, by a function, for one
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_serve(listener, settings, controls, instance_id))
        code = 0
    except Exception:
        logger.exception("the server has failed")
    finally:
        children.end_all()
        for service in registered:
            service.close()
        lambda_runtime.reset()
        logging.shutdown()
        # Executions that wait for a task token sit in threads which the interpreter would join for ever.
        os._exit(code)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise LocalAwsError(f"Port {port} is in use", "Choose another with --port, or end what uses it") from error
    return listener


async def _serve(listener: socket.socket, settings: GatewaySettings, controls: Application, instance_id: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    config.loglevel = "WARNING"
    config.accesslog = None
    inner = _with_tls_header(emulator.app)
    application = _with_instance(_with_controls(inner, controls), settings, instance_id)
    serving = loop.create_task(serve_asgi(cast(Framework, application), config, shutdown_trigger=stop.wait))
    stopping = loop.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({serving}, timeout=_LONGEST_STOP)
    if serving.done():
        serving.result()
    else:
        # it waits for a request that is still being answered, by a function, for one; AWS does not wait for anybody
        emulator.save_all(emulator._build_persistence_save_dict())  # noqa: SLF001 - checked above


def _with_tls_header(inner: Application) -> Application:
    """Tell MiniStack that requests came over TLS.

    Policies of buckets, queues and topics refuse anything else (``aws:SecureTransport``), and a certificate for
    127.0.0.1 would have to be handed to every client.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [pair for pair in scope["headers"] if pair[0].lower() != b"x-forwarded-proto"]
            scope = {**scope, "headers": [*headers, (b"x-forwarded-proto", b"https")]}
        await inner(scope, receive, send)

    return application


def _with_controls(inner: Application, controls: Application) -> Application:
    """Give the mock's own controls (faults, statistics, clock) to the mock, past AWS's authentication."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and scope["path"].startswith(ADMIN_PREFIX)
        await (controls if ours else inner)(scope, receive, send)

    return application


def _with_instance(inner: Application, settings: GatewaySettings, instance_id: str) -> Application:
    """Answer who serves here, at a path that no AWS service has."""
    body = json.dumps(
        {"instance_id": instance_id, "pid": os.getpid(), "state_dir": str(settings.folders.root)}
    ).encode()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != INSTANCE_PATH:
            await inner(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application
