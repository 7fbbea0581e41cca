/** What an inventory says about checks: questions with a yes/no answer and evidence. */
import { z } from 'zod';
import { argv, credentialRef, duration, text } from './common.js';
import type { DatabaseRef } from './database.js';

/**
 * How often a check must pass. `passes` in a row, `every` so often, all of it `within` a time.
 * Failures before the first pass are patience (the service is starting); one after it is flapping, and fails the check.
 */
const repetition = {
  passes: z.int().min(1).max(100).default(3),
  every: duration.default('1s'),
  within: duration.default('60s'),
};

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** What one value must be: exactly this, or within bounds, or matching a regular expression. */
const expectation = z.union([
  scalar,
  z.strictObject({
    equals: scalar.optional(),
    not: scalar.optional(),
    atMost: z.number().optional(),
    atLeast: z.number().optional(),
    matches: text.optional(),
    exists: z.boolean().optional(),
  }),
]);
export type Expectation = z.infer<typeof expectation>;

const statuses = z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]);

const responseExpectation = z.strictObject({
  /** One status or several; default: any 2xx. */
  status: statuses.optional(),
  /** JSON Pointer (RFC 6901) into the body → what stands there. */
  json: z.record(z.string(), expectation).optional(),
  /** Text that the body must contain. */
  contains: text.optional(),
});
export type ResponseExpectation = z.infer<typeof responseExpectation>;

const request = {
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
  url: text,
  headers: z.record(z.string(), z.string()).optional(),
  json: z.json().optional(),
  form: z.record(z.string(), z.string()).optional(),
  timeout: duration.default('5s'),
  plaintext: z
    .literal('allowed')
    .optional()
    .describe('Lets credentials go over http:// to another host; left out: refused'),
};

export const httpRequest = z.strictObject({ ...request, expect: responseExpectation.optional() });
export type HttpRequest = z.infer<typeof httpRequest>;

const httpCheck = z.strictObject({
  type: z.literal('http'),
  ...request,
  expect: responseExpectation.optional(),
  ...repetition,
});

/** Requests one after the other. Cookies are kept between them; `capture` takes values along as `${captured.NAME}`. */
const httpFlowCheck = z.strictObject({
  type: z.literal('http-flow'),
  /** What the flow signs in with, as `${inputs.NAME}`: references to the worker's variables or files, never values. */
  inputs: z.record(z.string(), credentialRef).optional(),
  origins: z
    .array(text)
    .optional()
    .describe('Where captured addresses may lead besides the hosts that its own steps name'),
  steps: z
    .array(
      z.strictObject({
        name: text,
        ...request,
        expect: responseExpectation.optional(),
        /** NAME: `json:/pointer`, `header:name` or `cookie:name`. */
        capture: z
          .record(
            z.string(),
            z.string().regex(/^(json:\/|header:|cookie:)./, 'must be json:/pointer, header:NAME or cookie:NAME'),
          )
          .optional(),
      }),
    )
    .min(1),
  ...repetition,
});

/** A query and what its answer must be: the number of rows, or the first column of the first row. */
const sqlCheck = z.strictObject({
  type: z.literal('sql'),
  database: text,
  query: text,
  expect: z.strictObject({ rows: expectation.optional(), value: expectation.optional() }),
  timeout: duration.default('10s'),
  ...repetition,
});

const commandCheck = z.strictObject({
  type: z.literal('command'),
  argv,
  directory: text.optional(),
  /** Names of the worker's variables that the command sees, besides PATH, HOME, LANG and TMPDIR. */
  environment: z.array(text).optional(),
  timeout: duration.default('30s'),
  expect: z.strictObject({ exitCode: z.int().default(0), stdout: text.optional() }).prefault({}),
  ...repetition,
});

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
    'watched only when the rotation has an overlap; without one (a leak has none) people are expected to be refused',
  );

/** A monitor: a check asked repeatedly over a window, or a counter that may rise only so far (auth errors, 401/403/5xx). */
export const monitorSpec = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('check'),
    check: text,
    every: duration.default('30s'),
    failuresAllowed: z.int().min(0).default(0),
    onlyWithOverlap,
  }),
  z.strictObject({
    type: z.literal('counter'),
    measure: z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('http'),
        url: text,
        headers: z.record(z.string(), z.string()).optional(),
        json: text,
        timeout: duration.default('5s'),
      }),
      z.strictObject({ type: z.literal('sql'), database: text, query: text, timeout: duration.default('10s') }),
    ]),
    every: duration.default('30s'),
    /** How much the counter may rise over the window before the rotation is undone. */
    maximumIncrease: z.int().min(0),
    onlyWithOverlap,
  }),
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
