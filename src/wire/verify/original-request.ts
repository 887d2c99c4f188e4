import { type Front, type Telling, tellingNames, tellings } from '../../gate/fronts.ts';
import { headerValues } from '../../gate/request-head.ts';
import type { RawHead } from '../framing.ts';

/** Where fronts ask. */
const verifyPath = '/verify';

/** The request that a front wants judged, as the front tells of it. */
export interface OriginalRequest {
  readonly kind: 'original';
  readonly head: RawHead;
  readonly scheme: 'http' | 'https';
}

/** Why a question can't be answered; the status is that of a `requestRefused`. */
export interface QuestionFault {
  readonly kind: 'fault';
  readonly status: number;
  /** For the log; holds nothing that the client sent. */
  readonly detail: string;
}

/** About the connection between the front and us, or rewritten by the front for the question: not the client's. */
const ofTheQuestion: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
]);

/**
 * Reads which request a front asks about. Each part must be told exactly once, in the one way that this front has, and
 * in no other: a front that forgets one gets no answer to any request, instead of one that a client may forge.
 */
export function readOriginalRequest({ told }: Front, question: RawHead): OriginalRequest | QuestionFault {
  const telling: Telling = tellings[told];
  const path = question.target.split('?', 1)[0] as string;
  if (telling.target === undefined ? !path.startsWith(`${verifyPath}/`) : path !== verifyPath) {
    const expected = telling.target === undefined ? `${verifyPath} and the original path behind it` : verifyPath;
    return fault(`the front asks at another path than ${expected}`, 404);
  }
  const foreign = tellingNames.keys().find((name) => {
    return name !== telling.method && name !== telling.target && headerValues(question, name).length > 0;
  });
  if (foreign !== undefined) return fault(`${foreign}, which is not how this front tells of the original request`);
  if (headerValues(question, 'x-forwarded-for').join() === '') return untold('x-forwarded-for');

  const own: Readonly<Record<string, string>> = {
    method: question.method,
    target: question.target.slice(verifyPath.length),
  };
  const parts: Record<string, string> = {};
  for (const part of ['method', 'target', 'host', 'scheme'] as const) {
    const name = telling[part];
    const values = name === undefined ? [own[part] ?? ''] : headerValues(question, name);
    if (name !== undefined && (values.length === 0 || values[0] === '')) return untold(name);
    if (values.length > 1) return fault(`${name} stands more than once`);
    parts[part] = values[0] as string;
  }
  const located = telling.host === undefined ? readUrl(parts.target as string) : { ...parts };
  const scheme = schemes[located?.scheme ?? ''];
  if (located === undefined || scheme === undefined) return fault('the original scheme is neither http nor https');
  const { target = '', host = '' } = located;
  const method = parts.method as string;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) return fault('the original method is not a method');
  const headers = ['Host', host, ...clientFields(question.headers, telling)];
  return { kind: 'original', head: { method, target, httpVersion: '1.1', headers }, scheme };
}

function fault(detail: string, status = 400): QuestionFault {
  return { kind: 'fault', status, detail: `a question that cannot be answered: ${detail}` };
}

function untold(name: string): QuestionFault {
  return fault(`the front does not send ${name}`);
}

/** A WebSocket's handshake is a request of the scheme below it (RFC 6455 section 4.1). */
const schemes: Readonly<Record<string, 'http' | 'https'>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' };

/** Split by hand: what URL parsers mend (dots, backslashes, spaces) is what has to be seen. */
function readUrl(url: string): Readonly<Record<string, string>> | undefined {
  const [, scheme, host, target] = /^([a-z]+):\/\/([^/?#\\@]+)(\/.*)$/.exec(url) ?? [];
  return scheme === undefined ? undefined : { scheme, host: host as string, target: target as string };
}

/** The client's own headers, as the front passes them on. */
function clientFields(headers: readonly string[], telling: Telling): string[] {
  const told = new Set<string | undefined>([telling.method, telling.target, telling.host, telling.scheme, 'host']);
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const lower = (headers[i] as string).toLowerCase();
    if (!told.has(lower) && !ofTheQuestion.has(lower)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
