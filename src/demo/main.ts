/**
 * `npm run demo`: four real applications under steady traffic, three rotations, a database role swapped in two environments, and
 * a table of claims, each measured in this run. Ends with 1 if any claim does not hold. `--keep` stays afterwards, for a look at the Temporal UI.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { formatMilliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import { redact } from '../domain/secret-value.js';
import { createShutdown, type Shutdown } from '../embedded/shutdown.js';
import type { LedgerRow, Verification } from '../ledger/ledger.js';
import { claimsOf, type Claim } from './claims.js';
import { Keyturn } from './keyturn.js';
import { exportHistories, searchFor } from './leaks.js';
import { rotate, type Rotated } from './rotation.js';
import { setStage, type Stage } from './stage.js';
import { claimsOfSwap } from './swap-claims.js';
import { swapRole, type Swapped } from './swap.js';
import { claimsTable, stepsTable, trafficTable } from './tables.js';
import { startTraffic } from './traffic.js';

/** People signed in to each system, and requests a second to each. */
const PEOPLE = 4;
const RATE = 15;
/** Traffic that goes on after the drop shows what it left. */
const AFTERMATH_MS = 3_000;

const say = (line: string): void => void process.stdout.write(`${redact(line)}\n`);

async function demo(shutdown: Shutdown): Promise<boolean> {
  const startedAt = performance.now();
  say('Keyturn demo: four applications, three rotations and a database swap, nobody at the keyboard.\n');
  say('Starting Temporal, PostgreSQL, a worker and the example systems …');
  const stage = await setStage(shutdown);
  const traffic = await startTraffic(stage.systems, { people: PEOPLE, rate: RATE });
  shutdown.add('traffic', () => traffic.stop());
  const messages = await startTraffic(stage.messaging);
  shutdown.add('traffic on messaging', () => messages.stop());
  say(
    `Up after ${formatMilliseconds(performance.now() - startedAt)}. Traffic: ${PEOPLE} people and ${RATE} requests a second on each system, 60 on messaging's.`,
  );

  const keyturn = new Keyturn(stage.directory, say, shutdown.signal);
  const values = new Set<string>();
  say(
    '\nBeside what follows messaging gets new database roles, in staging and then in production; its 24 h are skipped.',
  );
  const swapping = swapRole(stage, { keyturn, traffic: messages, values, signal: shutdown.signal });
  // It is awaited below; until then its failure is nobody's.
  swapping.catch(() => undefined);
  const rotations: Rotated[] = [];
  for (const system of stage.systems) {
    say(`\n== ${system.ref}`);
    rotations.push(await rotate(system, { keyturn, traffic, values }));
  }
  await traffic.stop();
  say('\n== messaging/DATABASE_URL');
  const swapped = await swapping;
  await sleep(AFTERMATH_MS);
  await messages.stop();
  for (const { system } of swapped.waves) await keyturn.run(['status', system.ref]);

  say('\n== The ledger');
  await keyturn.run(['log']);
  const claims = await judge(stage, keyturn, rotations, swapped, values);
  const all = [...rotations, ...swapped.waves];
  say(`\n${stepsTable(all)}`);
  say(`\n${trafficTable(all)}`);
  say(`\n${claimsTable(claims)}`);
  const broken = claims.filter((claim) => !claim.holds).length;
  say(
    `\n${claims.length - broken} of ${claims.length} claims hold, after ${formatMilliseconds(performance.now() - startedAt)}.`,
  );
  await lookAround(stage, shutdown);
  return broken === 0;
}

async function judge(
  stage: Stage,
  keyturn: Keyturn,
  rotations: readonly Rotated[],
  swapped: Swapped,
  values: Set<string>,
): Promise<Claim[]> {
  const rows = await keyturn.json<LedgerRow[] | { rows: LedgerRow[] }>(['log']);
  const chain = await keyturn.json<Verification>(['log', '--verify']);
  const connection = await Connection.connect({ address: stage.session.temporalAddress });
  try {
    const client = new Client({ connection });
    const claims: Claim[] = [];
    for (const rotated of rotations) {
      const { report, system } = rotated;
      const handle = client.workflow.getHandle(`rotate:${system.ref}`, report?.requestId);
      const { events } = await handle.fetchHistory();
      claims.push(...claimsOf(rotated, { people: PEOPLE, events: events?.length ?? 0 }));
    }
    claims.push(...claimsOfSwap(swapped));
    const expected = rotations.length + swapped.waves.length;
    const list = Array.isArray(rows) ? rows : rows.rows;
    claims.push({
      what: 'the ledger has one row a rotation, and its chain is intact',
      holds: list.length === expected && chain.intact,
      seen: `${list.length} rows, ${chain.intact ? `intact, head ${(chain.head ?? '').slice(0, 12)}` : chain.reason}`,
    });
    const texts = await exportHistories(client);
    texts.set('what keyturn up and its worker printed', await stage.log());
    texts.set('what the commands printed', keyturn.transcript);
    claims.push(...leakClaims(texts, values));
    return claims;
  } finally {
    await connection.close();
  }
}

/** A search that finds nothing shows something only if it would have found a value. */
function leakClaims(texts: Map<string, string>, values: Set<string>): Claim[] {
  const { found, places, characters } = searchFor(values, texts);
  const planted = new Map(
    [...texts]
      .slice(0, 1)
      .map(([place, text]) => [place, text + Buffer.from(`{"x":"${[...values][0] ?? ''}"}`).toString('base64')]),
  );
  const control = searchFor(values, planted).found.length === 1;
  return [
    {
      what: 'no value in any history, log or output; a planted one is found',
      holds: found.length === 0 && control && values.size > 0,
      seen: `${values.size} values looked for in ${places} texts (${Math.round(characters / 1024)} KB): ${found.join(', ') || 'none found'}`,
    },
  ];
}

async function lookAround({ session, directory }: Stage, shutdown: Shutdown): Promise<void> {
  if (!process.argv.includes('--keep')) {
    say('To look at the runs in the Temporal UI: npm run demo -- --keep');
    return;
  }
  say(
    `\nTemporal UI: ${session.uiUrl ?? '(none)'}/namespaces/${session.namespace}/workflows (each run: tab "User Metadata" has its checklist)`,
  );
  say(`The verbs work from ${directory}. Ctrl-C ends everything.`);
  await new Promise<void>((done) => shutdown.signal.addEventListener('abort', () => done(), { once: true }));
}

const shutdown = createShutdown();
try {
  process.exitCode = (await demo(shutdown)) ? 0 : 1;
} catch (error) {
  process.stderr.write(`error: ${redact(error instanceof Error ? error.message : String(error))}\n`);
  if (error instanceof KeyturnError && error.hint) process.stderr.write(`hint: ${error.hint}\n`);
  process.exitCode = 1;
} finally {
  await shutdown.run();
  shutdown.detach();
}
