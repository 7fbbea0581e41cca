import type { PlannedProof } from '../domain/plan.js';
import type { CheckContext } from './check.js';
import type { Presenter } from './presenter.js';
import { presentCookie } from './proof-cookie.js';
import { presentToken } from './proof-jwt.js';
import { presentValue } from './proof-value.js';

/** Signs in where the proof has a log-in. @throws KeyturnError `proof-inconclusive`. */
export async function present(proof: PlannedProof, context: CheckContext): Promise<Presenter> {
  switch (proof.type) {
    case 'signed-cookie':
      return presentCookie(proof, context);
    case 'jwt':
      return presentToken(proof, context);
    case 'value':
      return presentValue(proof);
  }
}
