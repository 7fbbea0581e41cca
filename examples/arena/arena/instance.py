"""
One instance of the application. It inherits the listening socket, serves, and leaves without dropping a request: on SIGTERM it
takes no more connections, answers what it has with `Connection: close`, and waits until clients that keep a connection have seen
that. On SIGINT it answers what it has and goes.
"""

import asyncio
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn

from .api import create_app
from .counters import Counters
from .database import open_database
from .parent import end_with_parent, inherited, say_ready
from .settings import ConfigurationError, load_settings

# Clients are told two seconds; it is really three. Whoever keeps to what it was told never writes into a closing connection.
KEEP_ALIVE_TOLD = 2
KEEP_ALIVE = 3
DRAIN_SECONDS = 10


class Instance(uvicorn.Server):
    """uvicorn, with another way of leaving."""

    draining = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            say_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGTERM or self.draining:
            self.should_exit = True
            return
        self.draining = True
        asyncio.get_running_loop().call_soon_threadsafe(lambda: asyncio.ensure_future(self._drain()))

    async def _drain(self) -> None:
        # The socket is shared: connections that wait in its queue are taken by the other instances.
        for server in self.servers:
            server.close()
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self.server_state.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        self.should_exit = True


class Edge:
    """Around the application: counts answers, and tells clients how long a connection lives."""

    def __init__(self, app: object, counters: Counters) -> None:
        self.app = app
        self.counters = counters
        self.instance: Instance | None = None

    async def __call__(self, scope: dict, receive: object, send: object) -> None:
        async def answer(message: dict) -> None:
            if message["type"] == "http.response.start":
                self.counters.count(message["status"])
                leaving = self.instance is not None and self.instance.draining
                kept = [(b"connection", b"close")] if leaving else [(b"keep-alive", f"timeout={KEEP_ALIVE_TOLD}".encode())]
                message = {**message, "headers": [*message.get("headers", []), *kept]}
            await send(message)  # type: ignore[operator]

        await self.app(scope, receive, answer if scope["type"] == "http" else send)  # type: ignore[operator]


def main() -> None:
    end_with_parent()
    try:
        settings = load_settings()
        pool = open_database(settings, f"arena-{os.getpid()}")
    except ConfigurationError as error:
        sys.exit(f"arena: cannot start: {error}")
    shared, listening = inherited("COUNTERS_FD"), inherited("LISTEN_FD")
    counters = Counters(Counters.create() if shared is None else shared, inherited("COUNTERS_SLOT") or 0)
    address = (settings.host, settings.port)
    server = socket.create_server(address) if listening is None else socket.socket(fileno=listening)
    edge = Edge(create_app(settings, pool, counters), counters)
    config = uvicorn.Config(
        edge,  # type: ignore[arg-type]
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    edge.instance = Instance(config)
    edge.instance.run(sockets=[server])
    pool.close()


if __name__ == "__main__":
    main()
