import { LRUCache } from 'lru-cache';
import { retryDelayMs } from '../keys/fetch-policy.ts';
import { staysHere } from '../keys/provider-url.ts';
import { quoteForLog } from '../keys/quote-for-log.ts';
import { call } from '../outbound/call.ts';
import type { Signer } from './compile-signer.ts';
import type { SigningValues } from './json-template.ts';
import { renewalAtMs } from './token-cache.ts';
import { readTokenResponse, type TokenRefusal, type TokenResponse } from './token-response.ts';

export interface GrantSpec {
  /** As `parseTokenEndpoint` left it. */
  readonly tokenEndpoint: URL;
  /** Makes the assertion: its payload has the `iss`, `sub` and `aud` that the endpoint wants (RFC 7523 section 3). */
  readonly signer: Signer;
  readonly scope?: string | undefined;
  /** Sent along, e.g. client_id. They may be secrets. */
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
  /** For answers without expires_in. */
  readonly assumedLifetimeMs?: number | undefined;
  readonly ca?: string | undefined;
}

export interface GrantDeps {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** For its proxy variables. */
  readonly env: NodeJS.ProcessEnv;
}

/** Access tokens from one endpoint, one a subject, by the JWT bearer grant (RFC 7523 section 2.1). */
export interface Grant {
  /** At once while a token is at hand; never rejects. */
  authorize(values: SigningValues): Authorization | Promise<Authorization>;
  /**
   * To be called when the API answers 401 to an access token: true where another one can be had by `authorize`, so
   * that trying once more makes sense. False where the token is a replacement that the API refuses as well.
   */
  invalidate(values: SigningValues, accessToken: string): boolean;
  /** Ends what is under way. */
  close(): void;
}

export type Authorization =
  | { readonly kind: 'granted'; readonly accessToken: string; readonly expiresAtMs: number }
  /** `retryAfterS`: undefined where waiting does not help. */
  | { readonly kind: 'failed'; readonly detail: string; readonly retryAfterS: number | undefined };

interface Held {
  readonly granted: Authorization & { readonly kind: 'granted' };
  readonly renewAtMs: number;
  /** Got because the API refused the one before. */
  readonly replacement: boolean;
  readonly sinceMs: number;
}

interface BackOff {
  failures: number;
  untilMs: number;
  detail: string;
}

interface Subject {
  held: Held | undefined;
  /** The API refused what was held. */
  refused: boolean;
  renewal: Promise<Authorization> | undefined;
  readonly backOff: BackOff;
}

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const mostAnswerBytes = 65_536;
const mostSubjectBytes = 8 * 1024 * 1024;
/** What one takes beside its name: more or less its access token. */
const subjectBytes = 2048;
const mostRenewals = 64;
/** An API that refuses even new tokens does not make us fetch one for every request. */
const replacementRestMs = 30_000;

/** Reads a token endpoint's address: an assertion is as good as a password, so plain http is for loopback, or `insecure`. */
export function parseTokenEndpoint(text: string, insecure: boolean): URL | { readonly problem: string } {
  const url = URL.parse(text);
  if (url === null) return { problem: `${quoteForLog(text)} is not a URL` };
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'the URL must begin with https://' };
  if (url.username !== '' || url.password !== '') return { problem: 'the URL holds credentials: send them in params' };
  if (url.hash !== '') return { problem: 'the URL has a fragment, which is never sent' };
  if (url.protocol === 'http:' && !insecure && !staysHere(url)) {
    return { problem: 'over plain http anyone on the way can take the tokens: use https, or insecure: true' };
  }
  return url;
}

/** Names in `params` that the grant sets itself. */
export function findReservedParams(params: Readonly<Record<string, string>>): string[] {
  return Object.keys(params).filter((name) => ['grant_type', 'assertion', 'scope'].includes(name));
}

/** Makes the grant; it fetches nothing before it is asked. */
export function createGrant(spec: GrantSpec, { now, random, env }: GrantDeps): Grant {
  const { tokenEndpoint, signer, scope, params = {}, timeoutMs = 10_000, assumedLifetimeMs = 300_000, ca } = spec;
  // No `max`: it would set the room for all of them aside, and most grants have one subject.
  const subjects = new LRUCache<string, Subject>({
    maxSize: mostSubjectBytes,
    sizeCalculation: (_, name) => subjectBytes + name.length,
  });
  const endpointBackOff = newBackOff();
  const closed = new AbortController();
  let renewals = 0;

  function authorize(values: SigningValues): Authorization | Promise<Authorization> {
    const subject = subjectOf(values);
    const nowMs = now();
    const { held } = subject;
    if (held !== undefined && nowMs < held.granted.expiresAtMs) {
      if (nowMs >= held.renewAtMs && waitOf(subject, nowMs) === undefined) renew(subject, values);
      return held.granted;
    }
    if (subject.renewal !== undefined) return subject.renewal;
    return waitOf(subject, nowMs) ?? renew(subject, values);
  }

  function subjectOf(values: SigningValues): Subject {
    const name = signer.subjectOf(values);
    const known = subjects.get(name);
    if (known !== undefined) return known;
    const subject = { held: undefined, refused: false, renewal: undefined, backOff: newBackOff() };
    subjects.set(name, subject);
    return subject;
  }

  /** Why nothing can be asked for now. */
  function waitOf(subject: Subject, nowMs: number): Authorization | undefined {
    if (closed.signal.aborted) return failed('shutting down', undefined);
    for (const { untilMs, detail } of [endpointBackOff, subject.backOff]) {
      if (nowMs < untilMs) return failed(detail, Math.ceil((untilMs - nowMs) / 1000));
    }
    return renewals < mostRenewals ? undefined : failed('too many subjects ask at the same time', 1);
  }

  /** One request in flight a subject, whoever asks meanwhile. */
  function renew(subject: Subject, values: SigningValues): Promise<Authorization> {
    if (subject.renewal !== undefined) return subject.renewal;
    renewals++;
    subject.renewal = ask(subject, values).finally(() => {
      renewals--;
      subject.renewal = undefined;
    });
    return subject.renewal;
  }

  async function ask(subject: Subject, values: SigningValues): Promise<Authorization> {
    const askedAtMs = now();
    const assertion = await signer.sign(values, askedAtMs);
    if (assertion.kind === 'failed') return failed(assertion.detail, undefined);
    const form = new URLSearchParams({
      ...params,
      ...(scope === undefined ? {} : { scope }),
      grant_type: grantType,
      assertion: assertion.token,
    });
    const { signal } = closed;
    const answer = await call({
      url: tokenEndpoint,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      timeoutMs,
      maxBytes: mostAnswerBytes,
      ca,
      env,
      signal,
    });
    return settle(subject, readTokenResponse(answer), askedAtMs);
  }

  function settle(subject: Subject, response: TokenResponse, askedAtMs: number): Authorization {
    if (response.kind === 'refused') return hold(subject, response, now());
    clearBackOff(endpointBackOff);
    clearBackOff(subject.backOff);
    const { accessToken, lifetimeMs = assumedLifetimeMs } = response;
    const granted = { kind: 'granted' as const, accessToken, expiresAtMs: askedAtMs + lifetimeMs };
    const renewAtMs = renewalAtMs(askedAtMs, granted.expiresAtMs);
    subject.held = { granted, renewAtMs, replacement: subject.refused, sinceMs: now() };
    subject.refused = false;
    return granted;
  }

  function hold(subject: Subject, refusal: TokenRefusal, nowMs: number): Authorization {
    const backOff = refusal.concerns === 'endpoint' ? endpointBackOff : subject.backOff;
    // Failures of requests that were under way together are one.
    if (nowMs >= backOff.untilMs) backOff.failures++;
    const delayMs = Math.max(retryDelayMs(backOff.failures, random()), refusal.retryAfterMs ?? 0);
    backOff.untilMs = Math.max(backOff.untilMs, nowMs + delayMs);
    backOff.detail = `the token endpoint ${tokenEndpoint.origin}: ${refusal.detail}`;
    return failed(backOff.detail, Math.ceil(delayMs / 1000));
  }

  function invalidate(values: SigningValues, accessToken: string): boolean {
    const subject = subjects.get(signer.subjectOf(values));
    const held = subject?.held;
    if (subject === undefined || held === undefined || held.granted.accessToken !== accessToken) return true;
    if (held.replacement && now() < held.sinceMs + replacementRestMs) return false;
    subject.held = undefined;
    subject.refused = true;
    return true;
  }

  return { authorize, invalidate, close: () => closed.abort() };
}

function failed(detail: string, retryAfterS: number | undefined): Authorization {
  return { kind: 'failed', detail, retryAfterS };
}

function newBackOff(): BackOff {
  return { failures: 0, untilMs: 0, detail: '' };
}

function clearBackOff(backOff: BackOff): void {
  backOff.failures = 0;
  backOff.untilMs = 0;
}
