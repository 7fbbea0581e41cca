/** What a test run may not leave behind: processes, databases, roles. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** Processes inherit it from whoever started them, also across setsid and the death of their parent. */
export const RUN_MARK = 'KEYTURN_TEST_RUN';

/** Long enough for the reaper's grace (5 s) after the last test worker has ended. */
const PATIENCE_MS = 8_000;

interface Found {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/**
 * Programs of this run that still live, apart from this process, those above it, and its own direct children of the test
 * runner; they are killed. Known by the mark in their environment; linux only, elsewhere the list is empty.
 */
export async function leftProcesses(mark: string, allowed: readonly number[]): Promise<readonly string[]> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = markedProcesses(mark).filter((process) => !allowed.includes(process.pid) && !isTestRunner(process));
    if (found.length === 0 || Date.now() > deadline) {
      return found.map(({ pid, parent, command }) => {
        kill(pid);
        return `process ${String(pid)} (parent ${String(parent)}): ${command}`;
      });
    }
    await sleep(100);
  }
}

export async function leftInPostgres(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ what: string }>(
      `SELECT 'database ' || datname AS what FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'
       UNION ALL SELECT 'role ' || rolname || COALESCE(': ' || shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> current_user
       ORDER BY 1`,
    );
    return rows.map(({ what }) => what);
  } finally {
    await client.end();
  }
}

function markedProcesses(mark: string): Found[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const marked = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(`${RUN_MARK}=${mark}`);
        if (!marked) return [];
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        if (/^State:\s+Z/m.test(status)) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ').trim().slice(0, 160);
        return [{ pid: Number(name), parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0), command }];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended while we looked.
  }
}

/** vitest's own workers, which it ends after this check, and the compilers that it and vite keep. */
function isTestRunner({ parent, command }: Found): boolean {
  return parent === process.pid && /vitest|tinypool|esbuild|rolldown/.test(command);
}
