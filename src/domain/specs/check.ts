/** What an inventory says about checks: questions with a yes/no answer and evidence. */
import { z } from 'zod';
import { argv, credentialRef, duration, pointerOrWhole, text } from './common.js';
import type { DatabaseRef } from './database.js';

/**
 * How often a check must pass. `passes` in a row, `every` so often, all of it `within` a time.
 * Failures before the first pass are patience (the service is starting); one after it is flapping, and fails the check.
 */
const repetition = {
  passes: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('How often it must pass in a row; a failure after the first pass fails it, those before are waited out'),
  every: duration.default('1s').describe('How long from one attempt to the next'),
  within: duration.default('60s').describe('How long all of it may take'),
};

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** What one value must be: exactly this, or within bounds, or matching a regular expression. */
const expectation = z.union([
  scalar,
  z.strictObject({
    equals: scalar.optional().describe('Exactly this'),
    not: scalar.optional().describe('Something that is there, and not this'),
    atMost: z.number().optional().describe('A number, this or less'),
    atLeast: z.number().optional().describe('A number, this or more'),
    matches: text.optional().describe("A JavaScript regular expression that fits somewhere in it: '^v[0-9]+$'"),
    exists: z.boolean().optional().describe('true: anything is there; false: nothing is'),
  }),
]);
export type Expectation = z.infer<typeof expectation>;

const statuses = z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]);

const responseExpectation = z
  .strictObject({
    status: statuses.optional().describe('The status, or a list of those that will do: [200, 204]. Default: any 2xx'),
    json: z
      .record(pointerOrWhole, expectation)
      .optional()
      .describe(
        'What must stand in a JSON body, by JSON Pointer (RFC 6901): { /status: ok, /queue/length: { atMost: 10 } }',
      ),
    contains: text.optional().describe('Text that the body must contain, to the letter'),
  })
  .describe('What the answer must be; all of it must hold');
export type ResponseExpectation = z.infer<typeof responseExpectation>;

const request = {
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET').describe('The HTTP method'),
  url: text.describe('The address, http:// or https://. Redirects are not followed: one is an answer with a status'),
  headers: z.record(z.string(), z.string()).optional().describe('Headers of the request: { Accept: application/json }'),
  json: z
    .json()
    .optional()
    .describe('A body sent as JSON; it wins over form: { user: smoke, password: "${inputs.password}" }'),
  form: z
    .record(z.string(), z.string())
    .optional()
    .describe('A body sent as a form (application/x-www-form-urlencoded): { user: smoke }'),
  timeout: duration.default('5s').describe('How long the answer may take'),
  plaintext: z
    .literal('allowed')
    .optional()
    .describe('Lets credentials go over http:// to another host. Left out: refused'),
};

export const httpRequest = z.strictObject({ ...request, expect: responseExpectation.optional() });
export type HttpRequest = z.infer<typeof httpRequest>;

const httpCheck = z
  .strictObject({
    type: z.literal('http').describe('One request'),
    ...request,
    expect: responseExpectation.optional(),
    ...repetition,
  })
  .describe('Sends one request and looks at the answer.');

/** Requests one after the other. Cookies are kept between them; `capture` takes values along as `${captured.NAME}`. */
const httpFlowCheck = z
  .strictObject({
    type: z.literal('http-flow').describe('Requests one after the other'),
    inputs: z
      .record(z.string(), credentialRef)
      .optional()
      .describe(
        'What the flow signs in with, filled in as ${inputs.NAME}: { password: { env: SHOP_SMOKE_PASSWORD } }. A variable or file of the worker, never the value',
      ),
    origins: z
      .array(text)
      .optional()
      .describe(
        'Where captured addresses may lead besides the hosts that the steps name themselves: [https://login.example.test]',
      ),
    steps: z
      .array(
        z.strictObject({
          name: text.describe('Shown where the flow fails'),
          ...request,
          expect: responseExpectation.optional(),
          capture: z
            .record(
              z.string(),
              z.string().regex(/^(json:\/|header:|cookie:)./, 'must be json:/pointer, header:NAME or cookie:NAME'),
            )
            .optional()
            .describe(
              'Values taken from the answer, filled in afterwards as ${captured.NAME}: { token: json:/accessToken } (JSON Pointer into the body), { next: header:Location }, { session: cookie:sid }. One that is missing fails the step',
            ),
        }),
      )
      .min(1)
      .describe('The requests, in this order; the first that is not answered as expected fails the check'),
    ...repetition,
  })
  .describe(
    'Sends requests one after the other, as a browser would: cookies are kept between them, and `capture` takes values along. Each attempt signs in anew.',
  );

const sqlCheck = z
  .strictObject({
    type: z.literal('sql').describe('A query'),
    database: text.describe('Name of a database in the environment'),
    query: text.describe(
      "The query, read only. It runs as a login with the rights of the tables' owner, never as the administrator",
    ),
    expect: z
      .strictObject({
        rows: expectation.optional().describe('What the number of rows must be: { atLeast: 1 }'),
        value: expectation.optional().describe('What the first column of the first row must be: true'),
      })
      .describe('What the answer must be; with neither, any answer will do'),
    timeout: duration.default('10s').describe('How long the answer may take, the connection included'),
    ...repetition,
  })
  .describe('Asks a PostgreSQL database and looks at the number of rows or at the first value.');

const commandCheck = z
  .strictObject({
    type: z.literal('command').describe('A command of your own'),
    argv: argv.describe('The command and its arguments, as a list; no shell reads it: [python3, smoke.py, --quick]'),
    directory: text.optional().describe('Where it runs, relative to the inventory file. Default: beside that file'),
    environment: z
      .array(text)
      .optional()
      .describe("Names of the worker's variables that it sees, besides PATH, HOME, LANG and TMPDIR"),
    timeout: duration.default('30s').describe('How long it may take; longer is a failure, and it is ended'),
    expect: z
      .strictObject({
        exitCode: z.int().default(0).describe('The exit code that it must end with'),
        stdout: text.optional().describe('Text that its standard output must contain'),
      })
      .prefault({})
      .describe('How it must end; all of it must hold'),
    ...repetition,
  })
  .describe('Runs a command on the host of the worker and looks at how it ends.');

export const checkSpec = z.discriminatedUnion('type', [httpCheck, httpFlowCheck, sqlCheck, commandCheck]);
export type CheckSpec = z.infer<typeof checkSpec>;
export type HttpCheckSpec = z.infer<typeof httpCheck>;
export type HttpFlowSpec = z.infer<typeof httpFlowCheck>;
export type SqlCheckSpec = z.infer<typeof sqlCheck>;
export type CommandCheckSpec = z.infer<typeof commandCheck>;

/** A check in a plan: placeholders filled in, database names turned into references. */
export type PlannedCheck = {
  readonly name: string;
  /** Absolute: whatever stands in these files and directories must not be shown, whoever asks. */
  readonly secretFiles?: readonly string[];
} & (HttpCheckSpec | HttpFlowSpec | (Omit<SqlCheckSpec, 'database'> & { database: DatabaseRef }) | CommandCheckSpec);

/** A refusal that is expected when everybody must sign in again is an alarm when nobody should notice. */
const onlyWithOverlap = z
  .boolean()
  .default(false)
  .describe(
    'Watched only when the rotation has an overlap; without one (a leak has none) people are expected to be refused',
  );

const interval = duration.default('30s').describe('How often it is asked while it is watched');

const httpMeasure = z.strictObject({
  type: z.literal('http').describe('A number in a JSON document'),
  url: text.describe('Where the counter is read: a GET of a JSON document'),
  headers: z.record(z.string(), z.string()).optional().describe('Headers of the request'),
  json: pointerOrWhole.describe('JSON Pointer to the number: /responses/5xx'),
  timeout: duration.default('5s').describe('How long the answer may take'),
});

const sqlMeasure = z.strictObject({
  type: z.literal('sql').describe('A number in a database'),
  database: text.describe('Name of a database in the environment'),
  query: text.describe('A query whose first column of the first row is the number, read only'),
  timeout: duration.default('10s').describe('How long the answer may take, the connection included'),
});

/** A monitor: a check asked repeatedly over a window, or a counter that may rise only so far (auth errors, 401/403/5xx). */
export const monitorSpec = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('check').describe('A check, asked again and again'),
      check: text.describe('Name of a check in the environment; its own repetition does not count here'),
      every: interval,
      failuresAllowed: z.int().min(0).default(0).describe('How many failures of the whole time are let pass'),
      onlyWithOverlap,
    })
    .describe('Asks a check again and again after a change.'),
  z
    .strictObject({
      type: z.literal('counter').describe('A number that grows'),
      measure: z.discriminatedUnion('type', [httpMeasure, sqlMeasure]).describe('Where the number is read'),
      every: interval,
      maximumIncrease: z
        .int()
        .min(0)
        .describe('How much the number may rise over the whole time before the rotation is undone'),
      onlyWithOverlap,
    })
    .describe('Watches a number that grows: errors, refused log-ins, answers with 5xx.'),
]);
export type MonitorSpec = z.infer<typeof monitorSpec>;

type CounterSpec = Extract<MonitorSpec, { type: 'counter' }>;
type SqlMeasure = Extract<CounterSpec['measure'], { type: 'sql' }>;
type HttpMeasure = Extract<CounterSpec['measure'], { type: 'http' }>;

export type PlannedMeasure = HttpMeasure | (Omit<SqlMeasure, 'database'> & { database: DatabaseRef });
export type PlannedMonitor = { readonly name: string } & (
  | (Omit<Extract<MonitorSpec, { type: 'check' }>, 'check'> & { check: PlannedCheck })
  | (Omit<CounterSpec, 'measure'> & { measure: PlannedMeasure })
);
