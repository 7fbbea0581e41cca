/** What applications encrypt with is Python's `cryptography`, so that is what ours is measured against and verified by. */
import { fileURLToPath } from 'node:url';
import { pythonWith } from '../demo/systems/python.js';

const MODULES = ['cryptography.fernet', 'psycopg', 'psycopg2.extras'];

/** @returns the path of a `python3` that has it. @throws KeyturnError `no-python`. */
export function pythonWithCryptography(): Promise<string> {
  const requirements = fileURLToPath(new URL('../../scripts/python-requirements.txt', import.meta.url));
  return pythonWith({ requirements, modules: MODULES });
}
