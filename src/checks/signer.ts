/** Which of two values an application signs with, seen in what it issues: not by asking it, but by verifying the signature here. */
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import type { PlannedProof } from '../domain/plan.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { CheckContext } from './check.js';
import { present } from './present.js';
import { unlike } from './proof-errors.js';

/** Each signs in anew, on new connections: several instances, and few enough for a limit on log-ins. */
const SIGN_INS = 3;

/** Leaves nothing behind but sign-ins. @throws KeyturnError `signs-with-old`; `proof-inconclusive`; when the signal aborts, its reason. */
export async function seeWhoSigns(
  proof: PlannedProof,
  { fresh, old, context }: { readonly fresh: SecretValue; readonly old: SecretValue; readonly context: CheckContext },
): Promise<Evidence> {
  for (let time = 1; time <= SIGN_INS; time += 1) {
    const { issued } = await present(proof, context);
    if (!issued) throw unlike('the value itself is presented, nothing is signed with it');
    if (issued.signedWith(fresh)) continue;
    const which = issued.signedWith(old) ? 'the old value' : 'neither the new nor the old value';
    throw new KeyturnError(
      'signs-with-old',
      `sign-in ${time} of ${SIGN_INS} was given something signed with ${which}`,
      {
        hint: 'does the application sign with the first value of its list, or with the variable that holds the new one?',
      },
    );
  }
  return {
    summary: `${SIGN_INS} of ${SIGN_INS} sign-ins were given something signed with the new value`,
    facts: { signIns: SIGN_INS },
  };
}
