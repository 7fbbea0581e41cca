#!/usr/bin/env python3
"""
Restarts or stops a service of a running arena, and waits until that is done. Needs nothing but Python.

    python3 control.py restart app --control arena.sock     starts it too, if it is stopped
    python3 control.py stop worker --control arena.sock     content where it does not run

Exit 0: it is so. 1: it did not come to that, and why. 2: not understood.
"""

import argparse
import json
import socket
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description="Restarts or stops a service of a running arena.")
    parser.add_argument("verb", choices=["restart", "stop", "status"])
    parser.add_argument("service", choices=["app", "worker"])
    parser.add_argument("--control", required=True, help="the Unix socket of arena's supervisor")
    parser.add_argument("--timeout", type=float, default=90, help="seconds (90)")
    asked = parser.parse_args()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(asked.timeout)
            connection.connect(asked.control)
            connection.sendall(json.dumps({"verb": asked.verb, "service": asked.service}).encode() + b"\n")
            reply = json.loads(connection.makefile().readline())
    except (FileNotFoundError, ConnectionRefusedError):
        print(f"arena is not running: nobody listens at {asked.control}", file=sys.stderr)
        return 0 if asked.verb == "stop" else 1
    except (OSError, ValueError) as error:
        print(f"no answer from arena: {type(error).__name__}", file=sys.stderr)
        return 1
    print(reply["said"], file=sys.stdout if reply["ok"] else sys.stderr)
    return 0 if reply["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
