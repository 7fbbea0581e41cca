import { sign, unsign } from 'cookie-signature';
import { SecretValue } from '../domain/secret-value.js';
import type { PlannedProof } from '../domain/plan.js';
import type { CheckContext } from './check.js';
import { runFlow } from './http-flow.js';
import type { Outgoing } from './http-client.js';
import type { Presenter } from './presenter.js';
import { loginFailed, unlike } from './proof-errors.js';
import { fillRequest } from './template.js';

type CookieProof = Extract<PlannedProof, { type: 'signed-cookie' }>;

/**
 * Signs in with the flow and takes the named cookie, `s:CONTENT.SIGNATURE` as express-session and cookie-parser write it
 * (cookie-signature: HMAC-SHA256, base64 without padding). The request goes out with the flow's cookies, the named one replaced;
 * a Cookie header in the inventory's request gives way to them. `${captured.NAME}` and `${inputs.NAME}` are filled in.
 */
export async function presentCookie(proof: CookieProof, context: CheckContext): Promise<Presenter> {
  const { answer, jar, values, origins } = await runFlow(proof.flow, context);
  if (!answer.passed) throw loginFailed(proof.flow.name, answer.summary);
  const request = fillRequest(proof.request, values);
  origins.admit(proof.request.url, request.url);
  const cookies = URL.canParse(request.url) ? await jar.getCookies(request.url) : [];
  const issued = cookies.find((cookie) => cookie.key === proof.cookie);
  if (!issued) throw unlike(`after ${proof.flow.name} there is no cookie ${proof.cookie} for ${proof.request.url}`);
  const content = contentOf(issued.value);
  if (content === null) throw unlike(`cookie ${proof.cookie} is not signed: it is not s:CONTENT.SIGNATURE`);
  const others = cookies.filter((cookie) => cookie !== issued).map((cookie) => cookie.cookieString());
  const present = (value: string): Outgoing =>
    withCookies(request, [...others, `${proof.cookie}=${new SecretValue(value).reveal()}`].join('; '));
  return {
    issued: {
      request: present(issued.value),
      header: null,
      signedWith: (key) => unsign(signedIn(issued.value), key.reveal()) !== false,
    },
    forge: (key) => present(encodeURIComponent(`s:${sign(content, key.reveal())}`)),
  };
}

/** Without `s:`, once it is known to be signed. */
function signedIn(cookie: string): string {
  return decodeURIComponent(cookie).slice(2);
}

/** The signature has no dot in it, so the last one parts content and signature. */
function contentOf(cookie: string): string | null {
  let text: string;
  try {
    text = decodeURIComponent(cookie);
  } catch {
    return null;
  }
  const dot = text.lastIndexOf('.');
  return text.startsWith('s:') && dot > 2 ? text.slice(2, dot) : null;
}

function withCookies(request: Outgoing, cookies: string): Outgoing {
  const kept = Object.entries(request.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'cookie');
  return { ...request, headers: { ...Object.fromEntries(kept), Cookie: cookies } };
}
