/** A system whose services and checks are commands of a moment, for tests of what people see of a run. */
import { dirname, join } from 'node:path';
import type { Keyturn } from './keyturn.js';

export interface ShopOptions {
  /** Its name; runs of all test files share one Temporal server, and a name is a lock there. */
  readonly system?: string;
  readonly taskQueue?: string;
  /** Of the secret, as YAML. */
  readonly approval?: string;
  /** Further checks, as lines of YAML, and which of them follow a change. */
  readonly checks?: string;
  readonly verify?: string;
  /** Of the service. */
  readonly health?: string;
  /** What deploys it, as YAML. */
  readonly deploy?: string;
  /** In production the service is well only with its first value. */
  readonly broken?: boolean;
}

/** Two environments, in rollout order, each with its own .env; returns the inventory's directory. */
export async function writeShop(keyturn: Keyturn, directory: string, options: ShopOptions = {}): Promise<string> {
  const {
    system = 'shop',
    taskQueue = 'keyturn',
    approval = '{ gates: [] }',
    broken = false,
    checks = '',
    verify,
    health = '[alive]',
    deploy = "['true']",
  } = options;
  for (const environment of ['staging', 'production']) {
    // Random would do as well; fixed, so that the tests can look for it where it must not appear.
    await keyturn.write(
      `${directory}/${system}.${environment}.env`,
      `# ${system}\nSESSION_SECRET=${firstValue(environment)}\n`,
    );
  }
  const productionFile = join(keyturn.directory, directory, `${system}.production.env`);
  const onlyOld = `
    services: { web: { deploy: { type: command, argv: ['true'] }, health: [old] } }
    checks:
      old: { type: command, argv: [grep, -q, '${firstValue('production').slice(0, 12)}', '${productionFile}'], passes: 1, within: 2s }
`;
  const file = await keyturn.write(
    `${directory}/${system}.yaml`,
    `system: ${system}
checks:
  alive: { type: command, argv: ['true'], passes: 1, every: 100ms, within: 10s }
${checks}services:
  web: { deploy: { type: command, argv: ${deploy} }, health: ${health} }
environments:
  - name: staging
    tier: staging
    taskQueue: ${taskQueue}
    stores: { env: { type: dotenv, file: ${system}.staging.env } }
  - name: production
    tier: production
    taskQueue: ${taskQueue}
    stores: { env: { type: dotenv, file: ${system}.production.env } }
${broken ? onlyOld.slice(1) : ''}secrets:
  SESSION_SECRET:
    kind: session
    store: env
    generator: hex:32
    cadence: 90d
    services: [web]
    approval: ${approval}
${verify === undefined ? '' : `    verify: ${verify}\n`}  STRIPE_KEY:
    kind: provider
    store: env
    services: [web]
`,
  );
  return dirname(file);
}

export function firstValue(environment: string): string {
  return Buffer.from(`first value of ${environment} in the shop`).toString('hex').slice(0, 64).padEnd(64, '0');
}
