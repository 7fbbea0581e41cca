/** Replicas as an inventory writes them: HOST:PORT, an IPv6 address in brackets. */
import { KeyturnError } from '../domain/errors.js';
import type { PlannedNode } from '../domain/plan.js';

const PLACE = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@]+)):(\d{1,5})$/;

/** @throws KeyturnError `bad-inventory`. */
export function nodeAt(name: string, place: string): PlannedNode {
  const [, six, host = six, port] = PLACE.exec(place) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new KeyturnError('bad-inventory', `the node "${name}" is not at HOST:PORT`, {
      hint: "write the address of its own server, as 10.0.0.2:5432 or [fd00::2]:5432; user and password are the administrator's",
    });
  }
  return { name, host, port: Number(port) };
}
