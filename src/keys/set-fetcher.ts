import { createHash } from 'node:crypto';
import { algorithms } from './algorithms.ts';
import { discoveryUrl, readDiscovery } from './discovery.ts';
import { type Copied, type FetchDocument, type FetchFailure, failure, type Validators } from './fetch-document.ts';
import type { FetchPolicy } from './fetch-policy.ts';
import { type ImportedKeySet, importKeySet } from './import-key-set.ts';
import { isKeyProblem } from './key-problem.ts';
import { sharedPart } from './kid-search.ts';
import { isLoopback } from './provider-url.ts';

/** Where a set is to be had: at a URL, or where an issuer's metadata says. */
export type SetAddress =
  | { readonly kind: 'jwks'; readonly url: string }
  /** The issuer exactly as its metadata and its tokens spell it. */
  | { readonly kind: 'discovery'; readonly url: string };

export type SetFetch =
  | (Answered & { readonly kind: 'set'; readonly set: ImportedKeySet })
  | (Answered & { readonly kind: 'unchanged' })
  | FetchFailure;

interface Answered {
  readonly lifetimeMs: number | undefined;
  readonly copied?: Copied | undefined;
}

export interface SetFetchOptions {
  /** Ask only whether the set changed; false when the last one is no longer at hand. */
  readonly conditional: boolean;
  readonly skipCaches: boolean;
  readonly signal: AbortSignal;
}

/** Fetches and imports one provider's set; never rejects. */
export type FetchSet = (options: SetFetchOptions) => Promise<SetFetch>;

/** Larger than any real set by an order of magnitude. */
const maxSetBytes = 1024 * 1024;

/** A public set holds no secrets, so HMAC is out, whatever stands in it. */
const publicAlgorithms: ReadonlySet<string> = new Set(
  [...algorithms.values()].filter(({ keyType }) => keyType !== 'oct').map(({ name }) => name),
);

export function createSetFetcher(
  address: SetAddress,
  policy: FetchPolicy,
  fetchDocument: FetchDocument,
  nowMs: () => number,
): FetchSet {
  const configured = new URL(address.url);
  let located: { readonly url: URL; readonly untilMs: number } | undefined;
  let last: { readonly url: string; readonly digest: string; readonly validators: Validators } | undefined;

  async function get(url: URL, validators: Validators, startedMs: number, options: SetFetchOptions) {
    // Headers may hold a credential: it is for the configured address, not for wherever its metadata points.
    const headers = url.origin === configured.origin ? policy.headers : {};
    // What the exchange before it left of the time; the socket's own clock, as in the timeout itself.
    const timeoutMs = Math.max(1, policy.timeoutMs - (performance.now() - startedMs));
    const { skipCaches, signal } = options;
    return fetchDocument({
      url,
      headers,
      validators,
      timeoutMs,
      skipCaches,
      // A kid that was just rotated in is asked for by every process; a refresh comes by all of them within a tenth.
      reuseMs: skipCaches ? policy.cooldownMs * sharedPart : policy.refreshMs / 5,
      source: address.url,
      elsewhere: url.origin !== configured.origin && !isLoopback(configured),
      signal,
      ca: policy.ca,
      maxBytes: maxSetBytes,
    });
  }

  async function locate(startedMs: number, options: SetFetchOptions): Promise<URL | FetchFailure> {
    if (address.kind === 'jwks') return configured;
    if (located !== undefined && nowMs() < located.untilMs) return located.url;
    const metadata = await get(discoveryUrl(configured), {}, startedMs, options);
    if (metadata.kind === 'failed') return failure(metadata.code, `discovery: ${metadata.detail}`);
    if (metadata.kind === 'notModified') return failure('badStatus', 'discovery: status 304 for no condition');
    const found = readDiscovery(metadata.text, address.url, policy.insecure);
    if (found instanceof URL) located = { url: found, untilMs: nowMs() + policy.refreshMs };
    return found;
  }

  async function fetchSet(options: SetFetchOptions): Promise<SetFetch> {
    const startedMs = performance.now();
    const url = await locate(startedMs, options);
    if (!(url instanceof URL)) return url;
    const previous = options.conditional && last?.url === url.href ? last : undefined;
    const answer = await get(url, previous?.validators ?? {}, startedMs, options);
    if (answer.kind === 'failed') return answer;
    const { lifetimeMs, copied } = answer;
    if (answer.kind === 'notModified') return { kind: 'unchanged', lifetimeMs, copied };
    const digest = createHash('sha256').update(answer.text).digest('base64');
    if (previous?.digest === digest) return { kind: 'unchanged', lifetimeMs, copied };
    const set = await parseKeySet(answer.text);
    if (set.kind === 'failed') return set;
    last = { url: url.href, digest, validators: answer.validators };
    return { kind: 'set', set, lifetimeMs, copied };
  }

  return async (options) => {
    const result = await fetchSet(options);
    // The address may have moved: ask for it anew.
    if (result.kind === 'failed') located = undefined;
    return result;
  };
}

/** Reads the text of a public key set (RFC 7517 section 5). */
export async function parseKeySet(
  text: string,
): Promise<(ImportedKeySet & { readonly kind: 'imported' }) | FetchFailure> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failure('notJson', 'the answer is not JSON');
  }
  const set = await importKeySet(value, { allowSecret: false }, publicAlgorithms);
  return isKeyProblem(set) ? failure('notKeySet', set.detail) : { kind: 'imported', ...set };
}
