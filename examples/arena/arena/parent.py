"""What a process has from the supervisor that started it. In a container there is none, and each does without."""

import os
import threading


def inherited(name: str) -> int | None:
    said = os.environ.get(name)
    return int(said) if said else None


def say_ready() -> None:
    ready = inherited("READY_FD")
    if ready is not None:
        os.write(ready, b"ready\n")


def end_with_parent() -> None:
    """The supervisor holds the other end of this pipe; when it is gone, however it went, so is what it has started."""
    lifeline = inherited("LIFELINE_FD")
    if lifeline is None:
        return

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
