import { createHmac } from 'node:crypto';
import { joseHeader, type JoseHeader } from '../domain/jose-header.js';
import { SecretValue } from '../domain/secret-value.js';
import type { PlannedProof } from '../domain/plan.js';
import type { CheckContext } from './check.js';
import { runFlow } from './http-flow.js';
import type { Presenter } from './presenter.js';
import { loginFailed, unlike } from './proof-errors.js';
import { parseJson } from './reply-expectation.js';
import { fillRequest, mentions } from './template.js';

type JwtProof = Extract<PlannedProof, { type: 'jwt' }>;

/** RFC 7518, section 3.2. */
const HASHES: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/**
 * Signs in with the flow and takes the token it captured. The request carries it where the inventory writes
 * `${captured.CAPTURE}`, and nothing else that the flow was given: its cookies stay behind, or one of them could be what the
 * application accepts. An app that takes its token in a cookie: `headers: { Cookie: "name=${captured.CAPTURE}" }`.
 */
export async function presentToken(proof: JwtProof, context: CheckContext): Promise<Presenter> {
  const key = `captured.${proof.capture}`;
  if (!mentions(proof.request, key)) throw unlike(`its request does not carry \${${key}}`);
  const { answer, values, origins } = await runFlow(proof.flow, context);
  if (!answer.passed) throw loginFailed(proof.flow.name, answer.summary);
  const token = values.get(key);
  if (!token) throw unlike(`${proof.flow.name} captures nothing called ${proof.capture}`);
  const [first = '', claims = '', signature = ''] = token.reveal().split('.');
  const header = headerOf(token.reveal());
  const hash = header && hashOf(header);
  if (!header || !hash) throw unlike(`${proof.capture} is not a token signed with HS256, HS384 or HS512`);
  const present = (text: string) => fillRequest(proof.request, new Map(values).set(key, new SecretValue(text)));
  origins.admit(proof.request.url, present(token.reveal()).url);
  const signed = (part: string, value: SecretValue, by: string): string =>
    createHmac(by, value.reveal()).update(part, 'ascii').digest('base64url');
  return {
    issued: {
      request: present(token.reveal()),
      header,
      signedWith: (value) => signed(`${first}.${claims}`, value, hash) === signature,
    },
    forge: (value, other) => {
      const part = `${other ? Buffer.from(JSON.stringify(other)).toString('base64url') : first}.${claims}`;
      return present(`${part}.${signed(part, value, (other && hashOf(other)) ?? hash)}`);
    },
  };
}

/** @returns null for what is no token, or has a header that says more than plain values. */
function headerOf(token: string): JoseHeader | null {
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  const text = Buffer.from(parts[0] ?? '', 'base64url').toString('utf8');
  const header = joseHeader.safeParse(parseJson(text));
  return header.success ? header.data : null;
}

function hashOf({ alg }: JoseHeader): string | null {
  return typeof alg === 'string' && Object.hasOwn(HASHES, alg) ? (HASHES[alg] ?? null) : null;
}
