/** Both ways with what applications use: Python's `cryptography` writes what ours carries over and reads, and reads what ours wrote. */
import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { beforeAll, expect, test } from 'vitest';
import { pythonWithCryptography } from '../../src/bench/reencrypt-python.js';
import { openReader, openReencryptor } from '../../src/ciphers/open-cipher.js';
import { gcmFormat, type ValueFormat } from '../../src/domain/specs/ciphertext.js';
import { reencrypt } from './support.js';

let python: string;

beforeAll(async () => {
  python = await pythonWithCryptography();
}, 300_000);

const old = randomBytes(32);
const next = randomBytes(32);
const hexOf = (bytes: Buffer): string => bytes.toString('hex');
const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');

/** Values and keys go through standard input as hex, one object in and one out. */
async function ask<T>(program: string, input: object): Promise<T> {
  const { stdout } = await execa(python, ['-I', '-c', program], { input: JSON.stringify(input), timeout: 60_000 });
  return JSON.parse(stdout) as T;
}

const ENCRYPT_FERNET = `
import base64, json, sys
from cryptography.fernet import Fernet
ask = json.load(sys.stdin)
f = Fernet(base64.urlsafe_b64encode(bytes.fromhex(ask["key"])))
print(json.dumps([f.encrypt_at_time(bytes.fromhex(p), 1_600_000_000 + n).hex() for n, p in enumerate(ask["plaintexts"])]))
`;

const DECRYPT_FERNET = `
import base64, json, sys
from cryptography.fernet import Fernet
ask = json.load(sys.stdin)
f = Fernet(base64.urlsafe_b64encode(bytes.fromhex(ask["key"])))
print(json.dumps([[f.decrypt(bytes.fromhex(t)).hex(), f.extract_timestamp(bytes.fromhex(t))] for t in ask["tokens"]]))
`;

const ENCRYPT_GCM = `
import json, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
ask = json.load(sys.stdin)
key = AESGCM(bytes.fromhex(ask["key"]))
out = []
for n, p in enumerate(ask["plaintexts"]):
    iv = os.urandom(12)
    sealed = key.encrypt(iv, bytes.fromhex(p), f"row:{n}".encode())
    out.append(f"v1:{iv.hex()}:{sealed[-16:].hex()}:{sealed[:-16].hex()}".encode().hex())
print(json.dumps(out))
`;

const DECRYPT_GCM = `
import json, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
ask = json.load(sys.stdin)
key = AESGCM(bytes.fromhex(ask["key"]))
out = []
for n, value in enumerate(ask["tokens"]):
    version, iv, tag, sealed = bytes.fromhex(value).decode().split(":")
    assert version == "v1"
    out.append([key.decrypt(bytes.fromhex(iv), bytes.fromhex(sealed + tag), f"row:{n}".encode()).hex(), 1_600_000_000 + n])
print(json.dumps(out))
`;

/** Every length around the block size, and some long ones. */
const plaintexts = [
  ...Array.from({ length: 70 }, (_, length) => randomBytes(length)),
  randomBytes(5_000),
  randomBytes(65_537),
];

test.each<[string, ValueFormat, string, string]>([
  ['Fernet', { cipher: 'fernet' }, ENCRYPT_FERNET, DECRYPT_FERNET],
  [
    'AES-256-GCM',
    gcmFormat.parse({ cipher: 'aes-256-gcm', separator: ':', prefix: 'v1:', associatedData: 'row:${row.id}' }),
    ENCRYPT_GCM,
    DECRYPT_GCM,
  ],
])(
  '%s of Python is read and carried over, and Python reads what it became',
  async (_name, format, encrypt, decrypt) => {
    const values = (await ask<string[]>(encrypt, { key: hexOf(old), plaintexts: plaintexts.map(hexOf) })).map(fromHex);
    const associated = format.cipher === 'fernet' ? null : values.map((_, row) => Buffer.from(`row:${row}`));
    const reader = openReader(format, old);
    values.forEach((value, row) => expect(reader.reads(value, associated?.[row] ?? null)).toBe(true));
    const { states, fresh } = reencrypt(openReencryptor(format, { from: old, to: next }), values, associated);
    expect(new Set(states)).toEqual(new Set(['old']));
    const read = await ask<[string, number][]>(decrypt, {
      key: hexOf(next),
      tokens: fresh.map((value) => hexOf(value!)),
    });
    expect(read.map(([plaintext]) => plaintext)).toEqual(plaintexts.map(hexOf));
    expect(read.map(([, timestamp]) => timestamp)).toEqual(plaintexts.map((_, row) => 1_600_000_000 + row));
  },
);
