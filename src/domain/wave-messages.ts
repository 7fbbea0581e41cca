/**
 * What the runs of a swap in waves say to each other. They are signals, which anybody can send who may use the namespace: none is
 * believed unread. Fields that are not known are let pass, since the other run may be carried out by a newer worker.
 */
import { z } from 'zod';
import { oneLine } from './one-line.js';

const LONGEST_REF = 1_000;
const LONGEST_WHY = 2_000;
/** A run that was reset says a new one; whoever fills the list with forged ones only pushes his own out. */
export const MOST_NONCES = 20;

/** Said by an environment's run with its "well", and asked back with the verdict: a verdict without it is not the answer. */
const nonce = z.string().min(1).max(64);

/** From an environment's run: it is well on its new role. */
const wellSchema = z.object({ ref: z.string().min(1).max(LONGEST_REF), nonce });
export type WaveWell = Readonly<z.infer<typeof wellSchema>>;

/** From the leader: every environment is well. `goOn: false`: one is not, go back. */
const verdictSchema = z.object({
  goOn: z.boolean(),
  why: z
    .string()
    .min(1)
    .max(LONGEST_WHY)
    .transform((why) => oneLine(why)),
  nonces: z.array(nonce).min(1).max(MOST_NONCES),
});
export type WaveVerdict = Readonly<z.infer<typeof verdictSchema>>;

/** @returns null for what is none. */
export function parseWell(input: unknown): WaveWell | null {
  return wellSchema.safeParse(input).data ?? null;
}

/** @returns null for what is none. */
export function parseVerdict(input: unknown): WaveVerdict | null {
  return verdictSchema.safeParse(input).data ?? null;
}
