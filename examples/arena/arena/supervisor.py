"""
Keeps the services `app` and `worker` running, as Docker Compose or systemd does elsewhere, and does what control.py asks for
over a Unix socket: `restart` (which also starts what is stopped), `stop`, `status`.

A restart starts new processes beside the old ones, which read their settings and files then. Only when all of them are ready do
the old ones leave; if one cannot start, the new ones go and the old ones stay. The listening socket belongs to this process, so
no connection is refused in between.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress

from dotenv import dotenv_values

from .counters import SLOTS, Counters

READY_SECONDS = 30
# An instance drains for ten; two seconds later it counts as hung.
LEAVE_SECONDS = 12
RESPAWN_SECONDS = 0.5
LINES_KEPT = 40


class CannotStart(Exception):
    """With the last lines of the process that did not."""


class Process:
    """One process of a service: starting, ready, leaving, gone."""

    def __init__(self, module: str, environment: dict[str, str], fds: tuple[int, ...], gone: Callable[[], None]) -> None:
        self._module = module
        self._environment = environment
        self._fds = fds
        self._gone = gone
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.expected_to_end = False

    async def start(self) -> None:
        ready, signalled = os.pipe()
        try:
            self.child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module),
                env={**self._environment, "READY_FD": str(signalled)},
                pass_fds=(*self._fds, signalled),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        finally:
            os.close(signalled)
        self._relayed = asyncio.create_task(self._relay())
        self.ended = asyncio.create_task(self._end())
        try:
            async with asyncio.timeout(READY_SECONDS):
                said = await asyncio.get_running_loop().run_in_executor(None, os.read, ready, 16)
        except TimeoutError:
            said = b""
        finally:
            # A read that still waits gets its end of file once the process is killed.
            asyncio.get_running_loop().call_later(1, os.close, ready)
        if said:
            return
        self.expected_to_end = True
        await self.leave(signal.SIGKILL)
        raise CannotStart("\n".join(["a new process did not become ready", *self.lines]))

    async def leave(self, how: signal.Signals) -> None:
        self.expected_to_end = True
        self._signal(how)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await asyncio.shield(self.ended)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.ended

    def _signal(self, how: signal.Signals) -> None:
        # Not asyncio's own way, which takes the exit status that its watcher is about to fetch.
        if self.child.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.child.pid, how)

    async def _relay(self) -> None:
        assert self.child.stdout
        async for line in self.child.stdout:
            text = line.decode(errors="replace").rstrip()
            self.lines.append(text)
            print(text, flush=True)

    async def _end(self) -> None:
        await self.child.wait()
        await self._relayed
        self._gone()


class Service:
    def __init__(self, name: str, module: str, instances: int, supervisor: "Supervisor") -> None:
        self.name = name
        self._module = module
        self._instances = instances
        self._supervisor = supervisor
        self._turn = asyncio.Lock()
        self._generation = 0
        self.processes: list[Process] = []

    async def restart(self) -> str:
        async with self._turn:
            old = self.processes
            self._generation += 1
            new = [self._process() for _ in range(self._instances)]
            results = await asyncio.gather(*(process.start() for process in new), return_exceptions=True)
            failed = next((result for result in results if isinstance(result, BaseException)), None)
            if failed:
                await asyncio.gather(*(one.leave(signal.SIGKILL) for one in new if hasattr(one, "ended")))
                still = "; the one before it still serves" if old else ""
                raise CannotStart(f"{self.name}: generation {self._generation} did not start{still}\n{failed}")
            self.processes = new
            for process in new:
                process.ended.add_done_callback(lambda _, process=process: self._respawn(process))
            await asyncio.gather(*(process.leave(signal.SIGTERM) for process in old))
            return f"{self.name}: generation {self._generation} serves"

    async def stop(self) -> str:
        async with self._turn:
            running, self.processes = self.processes, []
            await asyncio.gather(*(process.leave(signal.SIGINT) for process in running))
            self._supervisor.stopped(self.name)
            return f"{self.name}: {'stopped' if running else 'was not running'}"

    def _process(self) -> Process:
        environment, fds, gone = self._supervisor.equip(self.name)
        return Process(self._module, {**environment, "GENERATION": str(self._generation)}, fds, gone)

    def _respawn(self, process: Process) -> None:
        """One that ended by itself is replaced, also when that takes several attempts."""
        if process.expected_to_end or process not in self.processes:
            return
        self.processes.remove(process)
        self._supervisor.later(self._replace())

    async def _replace(self) -> None:
        await asyncio.sleep(RESPAWN_SECONDS)
        async with self._turn:
            if not 0 <= len(self.processes) < self._instances or self._supervisor.leaving or self.is_stopped:
                return
            process = self._process()
            try:
                await process.start()
            except CannotStart:
                self._supervisor.later(self._replace())
                return
            self.processes.append(process)
            process.ended.add_done_callback(lambda _: self._respawn(process))

    @property
    def is_stopped(self) -> bool:
        return self.name in self._supervisor.not_wanted


class Supervisor:
    def __init__(self, control: str) -> None:
        self._control = control
        file = os.environ.get("ENV_FILE")
        # Only where to listen: the secrets are for the processes, which read them anew each time.
        said = {**os.environ, **{key: value or "" for key, value in (dotenv_values(file) if file else {}).items()}}
        self._address = (said.get("HOST") or "127.0.0.1", int(said.get("PORT") or "8000"))
        self._listening: socket.socket | None = None
        self._counters_fd = Counters.create()
        self._counters = Counters(self._counters_fd)
        self._free_slots = list(range(1, SLOTS))
        self._lifeline, self._lifeline_end = os.pipe()
        self._tasks: set[asyncio.Task[None]] = set()
        self.leaving = False
        self.not_wanted: set[str] = set()
        self.services = {
            "app": Service("app", "arena.instance", int(said.get("INSTANCES") or "2"), self),
            "worker": Service("worker", "arena.collector", 1, self),
        }

    def equip(self, service: str) -> tuple[dict[str, str], tuple[int, ...], Callable[[], None]]:
        """What a new process of a service gets: variables, descriptors, and what to do when it has ended."""
        environment = {**os.environ, "LIFELINE_FD": str(self._lifeline), "PYTHONUNBUFFERED": "1"}
        if service != "app":
            return environment, (self._lifeline,), lambda: None
        slot = self._free_slots.pop(0)
        listening = self._listen()

        def gone() -> None:
            self._counters.fold(slot)
            self._free_slots.append(slot)

        more = {"COUNTERS_FD": str(self._counters_fd), "COUNTERS_SLOT": str(slot), "LISTEN_FD": str(listening)}
        return {**environment, **more}, (self._lifeline, self._counters_fd, listening), gone

    def stopped(self, service: str) -> None:
        if service == "app" and self._listening:
            self._listening.close()
            self._listening = None

    def later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        done = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, done.set)
        try:
            for service in self.services.values():
                print(await service.restart(), flush=True)
        except CannotStart as error:
            await self._end()
            sys.exit(str(error))
        if os.path.exists(self._control):
            os.unlink(self._control)
        os.umask(0o077)
        server = await asyncio.start_unix_server(self._answer, self._control)
        try:
            await done.wait()
        finally:
            os.unlink(self._control)
            server.close()
            await self._end()

    def _listen(self) -> int:
        if self._listening is None:
            self._listening = socket.create_server(self._address, backlog=512)
        return self._listening.fileno()

    async def _end(self) -> None:
        self.leaving = True
        await asyncio.gather(*(service.stop() for service in self.services.values()))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())
            verb, service = asked["verb"], self.services[asked["service"]]
            reply = {"ok": True, "said": await self._do(verb, service)}
        except CannotStart as error:
            reply = {"ok": False, "said": str(error)}
        except (ValueError, KeyError, TypeError) as error:
            reply = {"ok": False, "said": f"not understood: {type(error).__name__}"}
        except OSError as error:
            reply = {"ok": False, "said": f"cannot start: {os.strerror(error.errno or 0)}"}
        writer.write(json.dumps(reply).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def _do(self, verb: str, service: Service) -> str:
        if verb == "status":
            return f"{service.name}: {len(service.processes)} running"
        if verb == "restart":
            self.not_wanted.discard(service.name)
            return await service.restart()
        if verb == "stop":
            self.not_wanted.add(service.name)
            return await service.stop()
        raise ValueError(verb)


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs arena: the application and its worker.")
    parser.add_argument("--control", required=True, help="the Unix socket that control.py talks to")
    asyncio.run(Supervisor(parser.parse_args().control).run())


if __name__ == "__main__":
    main()
