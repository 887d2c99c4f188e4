import { isResponseField, keepFields, nominatedNames } from './field-lists.ts';

/** The head of an upstream's answer, as Node's parser read it. */
export interface UpstreamAnswer {
  readonly statusCode: number;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

/** To whom it goes. */
export interface AnswerContext {
  readonly method: string;
  readonly clientVersion: string;
  /** End the client's connection after this answer. */
  readonly close: boolean;
  /** Flat list from the gate: replaces fields of the same names, but adds to Vary. */
  readonly set: readonly string[];
}

/**
 * The header list for the client: the upstream's in order and spelling, without what concerned only its connection,
 * with our Via (RFC 9110 sections 7.6.1 and 7.6.3). Content-Length stays where it frames or describes; chunking,
 * keep-alive and a missing Date are Node's to add.
 */
export function responseFields(answer: UpstreamAnswer, { method, clientVersion, close, set }: AnswerContext): string[] {
  const { rawHeaders, statusCode } = answer;
  const nominated = nominatedNames(rawHeaders);
  const chunked = hasField(rawHeaders, 'transfer-encoding');
  const hasBody = method !== 'HEAD' && statusCode !== 204 && statusCode !== 304;
  const replaced = set.length === 0 ? undefined : namesOf(set);
  const list: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lower = name.toLowerCase();
    if (lower === 'trailer') {
      // Only a chunked message can keep the promise; Node throws on any other.
      if (chunked && hasBody && clientVersion === '1.1') list.push(name, rawHeaders[i + 1] as string);
      continue;
    }
    // RFC 9110 section 8.6: never in a 204.
    if (lower === 'content-length' && (chunked || statusCode === 204)) continue;
    if (!isResponseField(lower) || nominated.has(lower)) continue;
    if (replaced?.has(lower) === true && lower !== 'vary') continue;
    list.push(name, rawHeaders[i + 1] as string);
  }
  list.push(...set, 'Via', `${answer.httpVersion} jwtgate`);
  if (close) list.push('Connection', 'close');
  return list;
}

/** Fields of an interim answer (RFC 9110 section 15.2) that may pass. */
export function interimFields(rawHeaders: readonly string[]): string[] {
  const nominated = nominatedNames(rawHeaders);
  return keepFields(
    rawHeaders,
    (lower) => isResponseField(lower) && lower !== 'content-length' && !nominated.has(lower),
  );
}

/** Fields of the upstream's 101, with the switch itself written anew. */
export function switchingFields(answer: UpstreamAnswer): string[] {
  const nominated = nominatedNames(answer.rawHeaders);
  const list = keepFields(
    answer.rawHeaders,
    (lower) => isResponseField(lower) && lower !== 'content-length' && !nominated.has(lower),
  );
  list.push('Via', `${answer.httpVersion} jwtgate`, 'Connection', 'Upgrade', 'Upgrade', 'websocket');
  return list;
}

function hasField(raw: readonly string[], lowerName: string): boolean {
  for (let i = 0; i < raw.length; i += 2) if ((raw[i] as string).toLowerCase() === lowerName) return true;
  return false;
}

function namesOf(list: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (let i = 0; i < list.length; i += 2) names.add((list[i] as string).toLowerCase());
  return names;
}
