import { hash } from 'node:crypto';
import type { Copied, DocumentRequest, FetchDocument, FetchResult, Validators } from '../../keys/fetch-document.ts';

/** A fetch that a worker asks the primary for. `headers` may hold credentials. */
export interface DocumentAsk {
  readonly request: Omit<DocumentRequest, 'url' | 'signal'> & { readonly url: string };
  /** Serial number of the last answer that this worker got for the same document; 0: none yet. */
  readonly seen: number;
}

export interface DocumentAnswer {
  readonly result: FetchResult;
  readonly serial: number;
}

/** Fetches for all workers: what one of them got is an answer to the others too, once each and for a short time. */
export interface SharedDocuments {
  fetch(ask: DocumentAsk): Promise<DocumentAnswer>;
}

export interface SharedDocumentsParts {
  readonly fetchDocument: FetchDocument;
  readonly nowMs: () => number;
  /** A source said something else than before, or answers again: who asked it earlier should ask now. */
  readonly onNews: (source: string) => void;
}

interface Answered extends DocumentAnswer {
  readonly atMs: number;
  readonly validators: Validators;
  readonly skipCaches: boolean;
}

const failed = 'failed';
const unknown = 'unknown';

/** Answers kept for copying; a provider's set is some kilobytes, and whoever needs one longer ago fetches anew. */
const mostKept = 1_000;

/** What asks for the same document. */
export function documentId({ url, headers, accept, ca, maxBytes }: DocumentAsk['request']): string {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify([url, sorted, accept ?? null, ca ?? null, maxBytes]), 'base64url');
}

export function createSharedDocuments({ fetchDocument, nowMs, onNews }: SharedDocumentsParts): SharedDocuments {
  const kept = new Map<string, Answered>();
  const flights = new Map<string, Promise<Answered>>();
  /** What each document was the last time; `failed`: it could not be had; `unknown`: as before that. */
  const contents = new Map<string, string>();
  let lastSerial = 0;

  async function fetchAnew(id: string, { request }: DocumentAsk): Promise<Answered> {
    // Nobody's change of mind ends a fetch that others may have joined; its time-out does.
    const { signal } = new AbortController();
    const { validators, skipCaches } = request;
    const result = await fetchDocument({ ...request, url: new URL(request.url), signal });
    const answered = { result, serial: ++lastSerial, atMs: nowMs(), validators, skipCaches };
    if (isNews(id, result)) onNews(request.source);
    kept.delete(id);
    kept.set(id, answered);
    if (kept.size > mostKept) kept.delete(kept.keys().next().value as string);
    // Not longer than anybody may use it: a list of a million entries is 40 MB.
    setTimeout(() => {
      if (kept.get(id) === answered) kept.delete(id);
    }, request.reuseMs).unref();
    return answered;
  }

  function isNews(id: string, result: FetchResult): boolean {
    const before = contents.get(id);
    if (result.kind === 'failed') contents.set(id, failed);
    else if (result.kind === 'document') contents.set(id, hash('sha256', result.text, 'base64url'));
    else if (before === failed) contents.set(id, unknown);
    // Nobody asked before the first time.
    if (before === undefined || result.kind === 'failed') return false;
    return before === failed || (result.kind === 'document' && before !== contents.get(id));
  }

  return {
    async fetch(ask) {
      const { request } = ask;
      const id = documentId(request);
      const last = kept.get(id);
      if (last !== undefined && isAnswerTo(last, ask, nowMs())) return copyOf(last, nowMs());
      const flightId = JSON.stringify([id, request.validators, request.skipCaches]);
      const joined = flights.get(flightId);
      if (joined !== undefined) return copyOf(await joined, nowMs());
      const flight = fetchAnew(id, ask).finally(() => flights.delete(flightId));
      flights.set(flightId, flight);
      const { result, serial } = await flight;
      return { result, serial };
    },
  };
}

/** A worker that asks again wants to know what has become of it since; and a new one is not told of an old failure. */
function isAnswerTo(last: Answered, { request, seen }: DocumentAsk, nowMs: number): boolean {
  const { result, serial, atMs, validators, skipCaches } = last;
  if (serial <= seen || nowMs - atMs >= request.reuseMs || (request.skipCaches && !skipCaches)) return false;
  if (result.kind === 'failed') return seen > 0;
  return result.kind === 'document' || isSame(validators, request.validators);
}

function isSame(a: Validators, b: Validators): boolean {
  return a.etag === b.etag && a.lastModified === b.lastModified;
}

function copyOf({ result, serial, atMs }: Answered, nowMs: number): DocumentAnswer {
  const copied: Copied = { ageMs: Math.max(0, nowMs - atMs) };
  return { result: { ...result, copied }, serial };
}
