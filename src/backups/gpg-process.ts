/**
 * One run of `gpg` that leaves nothing behind: a private home that is removed, no agent, plaintext and ciphertext through pipes, the
 * passphrase through a file descriptor of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { KeyturnError } from '../domain/errors.js';
import type { SecretValue } from '../domain/secret-value.js';
import { minimalEnvironment } from '../processes/environment.js';
import { LARGEST_ARCHIVE } from './archive-format.js';

export interface GpgEnded {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  /** The machine-readable lines, without `[GNUPG:] `. */
  readonly status: readonly string[];
  /** What it said to people. Of a decryption it never quotes what it decrypts. */
  readonly stderr: string;
}

/** Deriving the key takes about a second; the rest is quick. */
const LIMIT_MS = 60_000;

/**
 * `--no-autostart`: with the passphrase at hand no agent is needed, and one that is started would outlive this run. The other options
 * keep a user's configuration, terminal and key rings out of it.
 */
const ALWAYS = [
  ...['--batch', '--no-tty', '--no-options', '--no-autostart', '--no-symkey-cache'],
  ...['--no-default-keyring', '--no-random-seed-file', '--no-permission-warning'],
  ...['--pinentry-mode', 'loopback', '--passphrase-fd', '3', '--status-fd', '2'],
] as const;

/** @throws KeyturnError `program-not-started`, `archive-damaged` for more than an archive can hold; the signal's reason. */
export async function runGpg(
  args: readonly string[],
  { input, passphrase }: { input: Uint8Array; passphrase: SecretValue },
  signal: AbortSignal,
): Promise<GpgEnded> {
  signal.throwIfAborted();
  // 0700 from birth, as mkdtemp makes it.
  const home = await mkdtemp(join(tmpdir(), 'keyturn-gpg-'));
  try {
    const child = spawn('gpg', [...ALWAYS, ...args], {
      cwd: home,
      // In English, whatever the worker speaks; HOME leads nowhere else either.
      env: { ...minimalEnvironment(), HOME: home, GNUPGHOME: home, LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    return await conversation(child, input, passphrase, signal);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function conversation(
  child: ChildProcess,
  input: Uint8Array,
  passphrase: SecretValue,
  signal: AbortSignal,
): Promise<GpgEnded> {
  const deadline = AbortSignal.timeout(LIMIT_MS);
  const stop = AbortSignal.any([signal, deadline]);
  const end = (): void => void child.kill('SIGKILL');
  stop.addEventListener('abort', end, { once: true });
  const [stdin, stdout, stderr, secret] = child.stdio as unknown as [Writable, Readable, Readable, Writable];
  const ended = exit(child);
  try {
    const said = [collect(stdout, end), collect(stderr, end)] as const;
    give(secret, Buffer.from(`${passphrase.reveal()}\n`, 'utf8'));
    give(stdin, input);
    const exitCode = await ended;
    const [out, err] = await Promise.all(said);
    signal.throwIfAborted();
    if (deadline.aborted) throw new KeyturnError('program-failed', `gpg did not end within ${LIMIT_MS / 1_000} s`);
    const lines = err.toString('utf8').split('\n');
    const isStatus = (line: string): boolean => line.startsWith('[GNUPG:] ');
    return {
      exitCode,
      stdout: out,
      status: lines.filter(isStatus).map((line) => line.slice('[GNUPG:] '.length)),
      stderr: lines.filter((line) => line !== '' && !isStatus(line)).join('\n'),
    };
  } finally {
    stop.removeEventListener('abort', end);
  }
}

function exit(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new KeyturnError('program-not-started', `gpg cannot be started (${error.code ?? 'unknown'})`, {
          hint: 'install GnuPG 2.2 or newer where this worker runs, or use format: age, which needs no program',
        }),
      );
    });
  });
}

/** One that ends before it has read everything says why itself. */
function give(stream: Writable, bytes: Uint8Array): void {
  stream.on('error', () => undefined);
  stream.end(bytes);
}

async function collect(stream: Readable, end: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    // What expands beyond all measure is no archive of ours.
    if (size > LARGEST_ARCHIVE) end();
    else chunks.push(chunk);
  });
  await new Promise<void>((resolve) => {
    stream.once('close', resolve);
    stream.once('error', () => resolve());
  });
  return Buffer.concat(chunks);
}
