#!/usr/bin/env python3
"""
What an administrator does to a running arena by hand, as the account `smoke`. Needs nothing but Python.

    python3 admin.py --env-file .env enter serper           a credential, typed or piped; PLATFORM NAME for another than "default"
    python3 admin.py --env-file .env disable serper         an arena: nothing is collected from it
    python3 admin.py --env-file .env lose-key --control arena.sock
                                                            to try a recovery: a fresh key in the place of the one in use, which is
                                                            gone then; every stored credential with it, unless there is a backup

Exit 0: done. 1: not done, and why. 2: not understood.
"""

import argparse
import base64
import getpass
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description="What an administrator does to a running arena by hand.")
    parser.add_argument("--env-file", required=True, type=Path, help="the settings that arena runs with")
    verbs = parser.add_subparsers(dest="verb", required=True)
    enter = verbs.add_parser("enter", help="a credential, typed or piped")
    enter.add_argument("platform")
    enter.add_argument("name", nargs="?", default="default")
    disable = verbs.add_parser("disable", help="an arena")
    disable.add_argument("platform")
    lose = verbs.add_parser("lose-key", help="a fresh encryption key in the place of the one in use")
    lose.add_argument("--control", required=True, help="the Unix socket of arena's supervisor")
    asked = parser.parse_args()
    try:
        settings = read_settings(asked.env_file)
        if asked.verb == "enter":
            value = (getpass.getpass(f"{asked.platform} {asked.name}: ") if sys.stdin.isatty() else sys.stdin.read()).strip()
            ask(settings, "PUT", f"/api/admin/credentials/{asked.platform}", {"value": value, "name": asked.name})
            print(f"{asked.platform} {asked.name}: entered")
        elif asked.verb == "disable":
            ask(settings, "POST", f"/api/admin/arenas/{asked.platform}/disable")
            print(f"{asked.platform}: disabled")
        else:
            lose_key(Path(settings["CREDENTIAL_ENCRYPTION_KEY_FILE"]), asked.control)
            print("the encryption key is another one now, and no stored credential can be read any more")
    except KeyError as missing:
        print(f"{asked.env_file} has no {missing.args[0]}", file=sys.stderr)
        return 1
    except urllib.error.HTTPError as error:
        print(f"arena answers {error.code}: {json.load(error).get('error', 'no reason')}", file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"not done: {type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def read_settings(file: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, equals, value in lines if equals}


def ask(settings: dict[str, str], method: str, path: str, body: object = None) -> None:
    url = f"http://{settings.get('HOST') or '127.0.0.1'}:{settings['PORT']}"
    login = {"username": "smoke", "password": settings["SMOKE_PASSWORD"]}
    token = send(f"{url}/api/auth/login", "POST", login, {})["accessToken"]
    send(url + path, method, body, {"Authorization": f"Bearer {token}"})


def send(url: str, method: str, body: object, headers: dict[str, str]) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {**headers, "Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def lose_key(file: Path, control: str) -> None:
    fresh = file.with_name(f".{file.name}.fresh")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="ascii") as written:
        written.write(base64.urlsafe_b64encode(os.urandom(32)).decode())
    os.replace(fresh, file)
    for service in ("app", "worker"):
        argv = [sys.executable, str(HERE / "control.py"), "restart", service, "--control", control]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
