"""
The worker: collects from every enabled arena, again and again, with the stored credentials, and counts what cannot be read. It
collects only while the application answers.
"""

import os
import signal
import sys
import threading
import urllib.request
from itertools import groupby

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from .database import UNREADABLE, open_database
from .keyring import Keyring
from .parent import end_with_parent, say_ready
from .settings import ConfigurationError, Settings, load_settings

ANSWER_SECONDS = 2


def main() -> None:
    end_with_parent()
    leaving = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: leaving.set())
    try:
        settings = load_settings()
        pool = open_database(settings, f"arena-worker-{os.getpid()}")
    except ConfigurationError as error:
        sys.exit(f"arena worker: cannot start: {error}")
    keyring = Keyring(settings.encryption_keys)
    say_ready()
    while not leaving.is_set():
        if application_answers(settings):
            try:
                collect(pool, keyring)
            except (psycopg.Error, PoolTimeout) as error:
                print(f"arena worker: the database does not answer: {type(error).__name__}", flush=True)
        leaving.wait(settings.collect_every_seconds)
    pool.close()


def collect(pool: ConnectionPool, keyring: Keyring) -> None:
    """One round, written down at once: a round that breaks off has not been."""
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT platform, encrypted_value FROM api_credentials JOIN arenas USING (platform) WHERE enabled"
            " ORDER BY platform, api_credentials.id"
        ).fetchall()
        failures = 0
        for platform, credentials in groupby(rows, key=lambda row: row[0]):
            unreadable = [keyring.reads(encrypted) for _, encrypted in credentials].count(False)
            failures += unreadable
            connection.execute(
                "UPDATE arenas SET last_collected_at = CASE WHEN %(error)s::text IS NULL THEN now() ELSE last_collected_at END,"
                " last_error = %(error)s WHERE platform = %(platform)s",
                {"error": UNREADABLE if unreadable else None, "platform": platform},
            )
        connection.execute(
            "UPDATE collection_totals SET rounds = rounds + 1, credentials_read = credentials_read + %s,"
            " failures = failures + %s, last_round_at = now()",
            (len(rows), failures),
        )


def application_answers(settings: Settings) -> bool:
    try:
        url = f"http://{settings.host}:{settings.port}/api/live"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as response:
            return response.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()
