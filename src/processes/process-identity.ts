/** Whether a process that a file names is still the same one, after crashes and restarts. */
import { readFileSync, readlinkSync } from 'node:fs';

/** This boot of this machine and, where containers share it, this one's process numbers. */
export interface Machine {
  readonly boot: string;
  readonly processes: string;
}

export function thisMachine(): Machine {
  return {
    boot: reading(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), 'no-boot-id'),
    processes: reading(() => readlinkSync('/proc/self/ns/pid'), 'no-pid-namespace'),
  };
}

/** When a process started, in the kernel's ticks; `gone` when there is none (a zombie counts as gone). */
export function startOf(pid: number): string {
  const stat = reading(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), '');
  if (stat !== '') {
    // The command name stands in parentheses and may hold spaces; the 22nd field is the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'gone' : (fields[19] ?? 'unknown');
  }
  try {
    process.kill(pid, 0);
    return process.platform === 'linux' ? 'gone' : 'unknown';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' && process.platform !== 'linux' ? 'unknown' : 'gone';
  }
}

function reading(read: () => string, otherwise: string): string {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
