/** What else there is to try with the example arena: backups of its critical secrets, and the day when a key is lost. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExampleSystem } from '../demo/systems.js';
import { invocation, quoteArgument } from './invocation.js';

const ADMIN = fileURLToPath(new URL('../../examples/arena/admin.py', import.meta.url));
const KEY = 'arena/production/CREDENTIAL_ENCRYPTION_KEY';

/** Lines that work as printed, in this order. None where arena does not run. */
export function arenaToTry(
  systems: readonly Pick<ExampleSystem, 'name' | 'envFile' | 'backups' | 'variables'>[],
  cwd = process.cwd(),
): string[] {
  const arena = systems.find(({ name }) => name === 'arena');
  const medium = arena?.variables['ARENA_ENCRYPTION_KEY_BACKUPS'];
  const control = arena?.variables['ARENA_CONTROL'];
  if (!arena?.backups || medium === undefined || control === undefined) return [];
  const keyturn = invocation();
  const admin = `python3 ${quoteArgument(relative(cwd, ADMIN))} --env-file ${quoteArgument(arena.envFile)}`;
  const place = quoteArgument(medium);
  return [
    'Back up the two critical secrets of arena, and see what an archive holds:',
    `  ${keyturn} backup arena --operator ana@example.test --wait`,
    `  ${keyturn} backup list arena`,
    `  ${keyturn} backup restore "$(ls -t ${place}/*.age | head -1)" --identity-file ${quoteArgument(arena.backups.identityFile)}`,
    '',
    'Lose its encryption key with all backups of it, and get over that:',
    `  rm -f ${place}/*; ${admin} lose-key --control ${quoteArgument(control)}`,
    `  ${keyturn} recover ${KEY} --operator ana@example.test --wait`,
    `  ${keyturn} approve ${KEY} --as ben@example.test     # in a third terminal; once more to go on without the rest`,
    `  ${admin} enter serper     # a credential, which ticks it off; serper spare-6 is another`,
  ];
}
