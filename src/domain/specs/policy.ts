/** Who must agree, and when a rotation may change things. */
import { z } from 'zod';
import { duration, text } from './common.js';

/**
 * `wave`: before anything is changed in this environment (a database credential goes through the environments in waves) ·
 * `promote`: before the new value is used · `retire`: before the old one stops being accepted · `drop`: before the old role is
 * shut out and dropped.
 */
export const GATE_NAMES = ['wave', 'promote', 'retire', 'drop'] as const;
export type GateName = (typeof GATE_NAMES)[number];

const GATES =
  'Where a run stops for a decision. wave: before anything is changed in this environment; promote: before the new value is used; retire: before the old value stops being accepted or an old key is destroyed; drop: before an old database role is shut out and dropped';

export const approvalSpec = z.strictObject({
  gates: z.array(z.enum(GATE_NAMES)).default([]).describe(GATES),
  approvers: z.int().min(1).max(10).default(1).describe('How many different people must approve'),
  allowed: z
    .array(text)
    .min(1)
    .optional()
    .describe(
      'Who may decide, by the name that they give: [ben@example.test]; upper and lower case are alike. Default: anyone but the requester',
    ),
  requesterMayApprove: z.boolean().default(false).describe('Whether who asked for the rotation may approve it too'),
  remindAfter: duration
    .default('1h')
    .describe('When an open gate is reminded of for the first time; then after twice as long, and so on'),
  expiresAfter: duration.default('24h').describe('How long a gate stays open'),
  onExpiry: z
    .enum(['deny', 'approve'])
    .default('deny')
    .describe('What a gate that nobody has decided becomes when its time is over'),
});
export type ApprovalSpec = z.infer<typeof approvalSpec>;

/** As an inventory says it: left-out gates are the kind's own (a database credential has some by default). */
export const approvalPolicy = approvalSpec
  .extend({
    gates: z
      .array(z.enum(GATE_NAMES))
      .optional()
      .describe(
        `${GATES}. Default: drop, and wave in every environment but the first, for database credentials; retire for encryption keys; none for others and in a development environment`,
      ),
  })
  .describe(
    "Where a run stops for people, and who they are. The environment's holds for every secret in it and wins over a secret's own; what the environment says of one secret wins over both",
  );
export type ApprovalPolicy = z.infer<typeof approvalPolicy>;

/** When services may be disturbed: opens at each tick of a cron expression and stays open for a while. */
export const windowSpec = z.strictObject({
  opens: text.describe('A cron expression, minute first: 0 3 * * 1-5 is three in the morning from Monday to Friday'),
  stays: duration.describe('How long it stays open each time: 2h'),
  timeZone: text.default('UTC').describe('The IANA time zone in which it opens: Europe/Berlin'),
});
export type WindowSpec = z.infer<typeof windowSpec>;

/** `none` takes back a window that stands further up: development need not wait for one. */
export const windowOrNone = z
  .union([windowSpec, z.literal('none')])
  .describe(
    'When routine rotations may disturb services; other reasons do not wait for it. none takes back one that stands further up. Default: at any time',
  );
export type WindowOrNone = z.infer<typeof windowOrNone>;
