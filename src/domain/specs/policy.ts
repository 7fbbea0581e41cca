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

export const approvalSpec = z.strictObject({
  gates: z.array(z.enum(GATE_NAMES)).default([]).describe('Where a run stops for a decision'),
  /** How many different people must approve. */
  approvers: z.int().min(1).max(10).default(1).describe('How many different people must approve'),
  /** Who may decide; left out: anyone but the requester. Compared without regard to case. */
  allowed: z.array(text).min(1).optional().describe('Who may decide; left out: anyone but the requester'),
  requesterMayApprove: z.boolean().default(false),
  remindAfter: duration.default('1h'),
  expiresAfter: duration.default('24h'),
  onExpiry: z.enum(['deny', 'approve']).default('deny'),
});
export type ApprovalSpec = z.infer<typeof approvalSpec>;

/** As an inventory says it: left-out gates are the kind's own (a database credential has some by default). */
export const approvalPolicy = approvalSpec.extend({
  gates: z.array(z.enum(GATE_NAMES)).optional().describe('Where a run stops for a decision'),
});
export type ApprovalPolicy = z.infer<typeof approvalPolicy>;

/** When services may be disturbed: opens at each tick of a cron expression and stays open for a while. */
export const windowSpec = z.strictObject({
  opens: text.describe('A cron expression'),
  stays: duration,
  timeZone: text.default('UTC').describe('An IANA time zone such as Europe/Berlin'),
});
export type WindowSpec = z.infer<typeof windowSpec>;

/** `none` takes back a window that stands further up: development need not wait for one. */
export const windowOrNone = z.union([windowSpec, z.literal('none')]);
export type WindowOrNone = z.infer<typeof windowOrNone>;
