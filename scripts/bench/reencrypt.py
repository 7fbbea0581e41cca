"""
The Python side of `npm run bench:reencrypt`: makes the rows, re-encrypts them as document 004 asks and in the best batches that
Python has, and checks what anybody has made of them. What to do comes as JSON on standard input, keys included; what came of it
goes as JSON to standard output. Times are of the work alone, from connecting to committing: no interpreter start, no imports.
"""

import base64
import hashlib
import json
import os
import sys
import time

import psycopg
import psycopg2
import psycopg2.extras
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PAGE = 2_000


class FernetCipher:
    def __init__(self, key):
        self.fernet = Fernet(base64.urlsafe_b64encode(key))

    def encrypt(self, plaintext):
        return self.fernet.encrypt(plaintext).decode()

    def decrypt(self, value):
        return self.fernet.decrypt(value)


class GcmCipher:
    """iv:tag:ciphertext in hex, as Node applications write it."""

    def __init__(self, key):
        self.aead = AESGCM(key)

    def encrypt(self, plaintext):
        iv = os.urandom(12)
        sealed = self.aead.encrypt(iv, plaintext, None)
        return f"{iv.hex()}:{sealed[-16:].hex()}:{sealed[:-16].hex()}"

    def decrypt(self, value):
        iv, tag, ciphertext = value.split(":")
        return self.aead.decrypt(bytes.fromhex(iv), bytes.fromhex(ciphertext + tag), None)


CIPHERS = {"fernet": FernetCipher, "aes-256-gcm": GcmCipher}


def credential(row):
    """64 bytes that follow from the row's number: whoever checks needs no list."""
    return hashlib.sha256(str(row).encode()).hexdigest().encode()


def seed(task, old, _new):
    with psycopg.connect(task["url"]) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY {task['table']} (id, encrypted_value) FROM STDIN") as copy:
            for row in range(1, task["rows"] + 1):
                copy.write_row((row, old.encrypt(credential(row))))
    return {}


def script(task, old, new):
    """Document 004: fetch all rows, decrypt each, encrypt it again, write it back, in one transaction."""
    with psycopg.connect(task["url"]) as connection, connection.cursor() as cursor:
        rows = cursor.execute("SELECT id, encrypted_value FROM api_credentials").fetchall()
        for row, value in rows:
            fresh = new.encrypt(old.decrypt(value))
            cursor.execute("UPDATE api_credentials SET encrypted_value = %s WHERE id = %s", (fresh, row))
    return {"rows": len(rows)}


def pages(cursor):
    last = 0
    while True:
        cursor.execute(
            "SELECT id, encrypted_value FROM api_credentials WHERE id > %s ORDER BY id LIMIT %s", (last, PAGE)
        )
        rows = cursor.fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield rows


def executemany(task, old, new):
    """psycopg 3 sends the statements of a page in pipeline mode, without waiting for each answer."""
    done = 0
    with psycopg.connect(task["url"]) as connection, connection.cursor() as cursor:
        for rows in pages(cursor):
            fresh = [(new.encrypt(old.decrypt(value)), row) for row, value in rows]
            cursor.executemany("UPDATE api_credentials SET encrypted_value = %s WHERE id = %s", fresh)
            done += len(rows)
    return {"rows": done}


def execute_values(task, old, new):
    done = 0
    connection = psycopg2.connect(task["url"])
    with connection, connection.cursor() as cursor:
        for rows in pages(cursor):
            fresh = [(row, new.encrypt(old.decrypt(value))) for row, value in rows]
            psycopg2.extras.execute_values(
                cursor,
                "UPDATE api_credentials t SET encrypted_value = n.fresh FROM (VALUES %s) n(id, fresh) WHERE t.id = n.id",
                fresh,
                page_size=PAGE,
            )
            done += len(rows)
    connection.close()
    return {"rows": done}


def unnest(task, old, new):
    done = 0
    with psycopg.connect(task["url"]) as connection, connection.cursor() as cursor:
        for rows in pages(cursor):
            ids = [row for row, _ in rows]
            fresh = [new.encrypt(old.decrypt(value)) for _, value in rows]
            cursor.execute(
                "UPDATE api_credentials t SET encrypted_value = n.fresh"
                " FROM unnest(%s::bigint[], %s::text[]) n(id, fresh) WHERE t.id = n.id",
                (ids, fresh),
            )
            done += len(rows)
    return {"rows": done}


def verify(task, _old, new):
    """Every row, under the new key alone, against what it was made of."""
    right = 0
    with psycopg.connect(task["url"]) as connection, connection.cursor("all_rows") as cursor:
        cursor.itersize = 10_000
        for row, value in cursor.execute("SELECT id, encrypted_value FROM api_credentials"):
            if new.decrypt(value) != credential(row):
                raise SystemExit(f"row {row} is not what it was")
            right += 1
    return {"rows": right}


WAYS = {f.__name__: f for f in (seed, script, executemany, execute_values, unnest, verify)}

task = json.load(sys.stdin)
cipher = CIPHERS[task["cipher"]]
old, new = (cipher(bytes.fromhex(task[name])) for name in ("old", "new"))
started = time.perf_counter()
result = WAYS[task["way"]](task, old, new)
print(json.dumps({**result, "seconds": time.perf_counter() - started}))
