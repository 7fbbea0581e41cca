import type { PlannedProof } from '../domain/plan.js';
import type { Presenter } from './presenter.js';
import { unlike } from './proof-errors.js';
import { fillRequest, mentions } from './template.js';

/** The value itself is the credential: an API token, a shared key. It stands where the inventory writes `${value}`. */
export function presentValue(proof: Extract<PlannedProof, { type: 'value' }>): Presenter {
  if (!mentions(proof.request, 'value')) throw unlike('its request does not carry ${value}');
  return { issued: null, forge: (key) => fillRequest(proof.request, new Map([['value', key]])) };
}
