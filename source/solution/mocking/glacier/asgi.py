"""The service as a plain ASGI application, and a server for it in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from solution.mocking.glacier.clock import Clock
from solution.mocking.glacier.messages import ReadCutShortError, Request, Response
from solution.mocking.glacier.notifications import Notifier
from solution.mocking.glacier.service import GlacierService
from solution.mocking.glacier.settings import GlacierSettings

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class GlacierApp:
    """ASGI application. Its lifespan starts and closes the service."""

    def __init__(self, service: GlacierService) -> None:
        self.service = service

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.service.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.service.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        body = _stream(receive)
        response = await self.service.handle(
            Request(
                method=scope["method"],
                path=scope["path"],
                query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
                headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
                body=body,
            )
        )
        # A client that is still sending would not see an early refusal: take the rest of its body first.
        async for _ in body:
            pass
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if isinstance(response.body, bytes):
            await send({"type": "http.response.body", "body": response.body})
        else:
            await self._send_stream(response, receive, send)

    async def _send_stream(self, response: Response, receive: Receive, send: Send) -> None:
        """Send the pieces as they are read, until the end, a fault, or the client's departure."""
        pieces = iter(response.body)
        gone = asyncio.ensure_future(receive())
        try:
            while not gone.done():
                piece = await self.service.in_thread(next, pieces, None)
                if piece is None:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except ReadCutShortError:
            return  # a server closes the connection of an application that leaves a body unfinished
        finally:
            gone.cancel()
            close = getattr(pieces, "close", None)
            if close:
                await self.service.in_thread(close)


async def _stream(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGlacier:
    """A mock that serves HTTP: where, and the service behind it."""

    url: str
    service: GlacierService


@contextmanager
def serve(
    data_dir: Path | str,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    settings: GlacierSettings | None = None,
    clock: Clock | None = None,
    notifier: Notifier | None = None,
) -> Iterator[RunningGlacier]:
    """Serve a mock from a thread of this process until the block ends.

    Args:
        data_dir: where its vaults live.
        port: 0 takes a free one.
        host: address to listen on.
        settings: see ``GlacierSettings``.
        clock: real time unless given.
        notifier: who publishes notifications.

    Raises:
        OSError: the port is in use.
    """
    from hypercorn.asyncio import serve as hypercorn_serve  # noqa: PLC0415  # Lambda has no web server
    from hypercorn.config import Config  # noqa: PLC0415  # as above

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)  # clients may connect before the server's loop is up: they wait in the backlog
        bound = listener.getsockname()[1]
        service = GlacierService(data_dir, settings=settings, clock=clock, notifier=notifier)
    except BaseException:
        listener.close()
        raise
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 60
    config.graceful_timeout = 1
    stop: asyncio.Event | None = None
    loop: asyncio.AbstractEventLoop | None = None
    running = threading.Event()

    async def main() -> None:
        nonlocal stop, loop
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        running.set()
        application = cast("ASGIFramework", GlacierApp(service))
        await hypercorn_serve(application, config, shutdown_trigger=stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="glacier-http", daemon=True)
    thread.start()
    running.wait()
    try:
        yield RunningGlacier(url=f"http://{host}:{bound}", service=service)
    finally:
        if loop and stop:
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        service.close()
