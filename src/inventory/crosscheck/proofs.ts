/** A proof tells a yes from a no: an outage, a lock-out or a page that everybody gets is neither. */
import type { ProofSpec } from '../../domain/specs/secret.js';
import type { MergedEnvironment } from '../merge.js';
import type { Path } from '../problems.js';
import type { Report } from './findings.js';

export function checkProofs({ secrets }: MergedEnvironment, report: Report): void {
  for (const secret of secrets.values()) {
    if (secret.proof) checkProof(secret.proof, secret.placeOf('proof'), report);
  }
}

function checkProof(proof: ProofSpec, path: Path, report: Report): void {
  const { accepted, refused, refusedTo } = proof;
  const { expect } = proof.request;
  refused.forEach((status, index) => {
    const place = [...path, 'refused', index];
    if (status === 429 || status >= 500) {
      report(
        place,
        `${status} is no refusal: an outage or a lock-out answers so too`,
        'the statuses of a real no: 401, 403',
      );
    } else if (isRedirect(status) && refusedTo === undefined) {
      report(
        place,
        `${status} alone is no refusal: a redirect may lead anywhere`,
        'say where it leads: refusedTo: /login',
      );
    } else if (accepted.includes(status) && expect?.contains === undefined && expect?.json === undefined) {
      const message = `${status} is a yes and a no: nothing tells them apart`;
      report(
        place,
        message,
        'say what only a yes holds, at its request: expect: { json: { /user: … } } or { contains: … }',
      );
    }
  });
  if (refusedTo !== undefined && !refused.some(isRedirect)) {
    report([...path, 'refusedTo'], 'no redirect is among the refusals', 'refused: [302]');
  }
  if (expect?.status !== undefined) {
    const message = 'the status of a proof is looked for in "accepted" and "refused", not here';
    report([...path, 'request', 'expect', 'status'], message, 'leave it out');
  }
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}
