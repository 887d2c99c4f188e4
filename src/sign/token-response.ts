import type { CallResult } from '../outbound/call.ts';

/** What a token endpoint's answer comes to (RFC 6749 sections 5.1 and 5.2). */
export type TokenResponse =
  | { readonly kind: 'granted'; readonly accessToken: string; readonly lifetimeMs: number | undefined }
  | TokenRefusal;

export interface TokenRefusal {
  readonly kind: 'refused';
  /** Whom the refusal concerns: the one subject of the assertion, or everybody who asks there. */
  readonly concerns: 'subject' | 'endpoint';
  /** For the log: no text of the answer but an error code of the RFC's form. */
  readonly detail: string;
  /** As the endpoint asked for, at most five minutes. */
  readonly retryAfterMs: number | undefined;
}

/** With these a bad assertion is refused, which is its subject's affair; what else goes wrong goes wrong for all. */
const subjectStatuses: ReadonlySet<number> = new Set([400, 401, 403]);
const mostLifetimeS = 86_400;
const mostRetryAfterS = 300;
/** Fit for a header; RFC 6749 appendix A.12 without the space. */
const accessTokenForm = /^[\x21-\x7e]{1,16384}$/;
/** Codes are words: never long or mixed enough to be a token that was echoed. */
const errorCodeForm = /^[a-z_]{1,40}$/;

/** Reads an answer without believing it: status, JSON, access token, type and lifetime must all be as the RFC has them. */
export function readTokenResponse(answer: CallResult): TokenResponse {
  if (answer.kind === 'none') return refused('endpoint', answer.detail);
  const { status, text } = answer;
  const json = parseObject(text);
  if (status >= 300 && status < 400) {
    return refused('endpoint', `status ${status}: redirects are not followed, configure the final address`);
  }
  if (status !== 200) {
    const { error } = json ?? {};
    const code = typeof error === 'string' && errorCodeForm.test(error) ? `, error "${error}"` : '';
    return refused(
      subjectStatuses.has(status) ? 'subject' : 'endpoint',
      `status ${status}${code}`,
      retryAfterMs(answer.retryAfter),
    );
  }
  if (json === undefined) return refused('endpoint', 'the answer is no JSON object');
  const { access_token: accessToken, token_type: type, expires_in: expiresIn } = json;
  if (typeof accessToken !== 'string' || !accessTokenForm.test(accessToken)) {
    return refused('endpoint', 'the answer has no access_token that a header could carry');
  }
  if (type !== undefined && !(typeof type === 'string' && type.toLowerCase() === 'bearer')) {
    return refused('endpoint', "the answer's token_type is not Bearer");
  }
  if (expiresIn === undefined || expiresIn === null) return { kind: 'granted', accessToken, lifetimeMs: undefined };
  const lifetimeS = readSeconds(expiresIn);
  if (lifetimeS === undefined) return refused('endpoint', "the answer's expires_in is no number of seconds above 0");
  return { kind: 'granted', accessToken, lifetimeMs: Math.min(lifetimeS, mostLifetimeS) * 1000 };
}

function refused(concerns: TokenRefusal['concerns'], detail: string, retryAfter?: number): TokenRefusal {
  return { kind: 'refused', concerns, detail, retryAfterMs: retryAfter };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Some servers write the number as text. */
function readSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header), mostRetryAfterS) * 1000;
}
