export declare function withFileLock<T>(
  path: string,
  work: () => T | Promise<T>,
  onWait?: (holder: string) => void,
): Promise<T>;
export declare function startTime(pid: number): string | null;
export declare function isRunning(pid: number, started: string | null): boolean;
