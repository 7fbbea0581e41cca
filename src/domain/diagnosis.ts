/** Shortening what a failing service last said for places that have room for a few lines. */

/** Its first line (the state of what failed) and its last ones (why), `room` lines in all; whole when it is no longer. */
export function excerpt(diagnosis: string, room: number): string[] {
  const lines = diagnosis.split('\n');
  if (lines.length <= room) return lines;
  const last = lines.slice(-Math.max(1, room - 2));
  return [...lines.slice(0, 1), `… (${lines.length - 1 - last.length} lines are left out here)`, ...last];
}
