import { isFieldName } from '../../gate/field-name.ts';
import { headerValues } from '../../gate/request-head.ts';
import { type BodyFraming, type FramingFault, type HeadLimits, isHost, judgeFraming } from '../framing.ts';

/** A request's header section as it came: name, value … with pseudo-headers. */
export type FieldSection = readonly string[];

export type Http2Head =
  | {
      readonly kind: 'clear';
      readonly method: string;
      /** Origin form, as HTTP/1.1 has it. */
      readonly target: string;
      /** With `host` in place of :authority, and one `cookie`. */
      readonly headers: readonly string[];
      readonly body: BodyFraming;
      readonly expectsContinue: boolean;
    }
  | { readonly kind: 'fault'; readonly fault: FramingFault };

/** RFC 9113 section 8.2.2: they belong to an HTTP/1 connection, and a message that has one is malformed. */
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const pseudoHeaders: ReadonlySet<string> = new Set([':authority', ':method', ':path', ':scheme']);

interface Draft {
  readonly pseudo: Map<string, string>;
  readonly fields: string[];
  readonly hosts: string[];
  readonly cookies: string[];
}

/**
 * Reads a request of HTTP/2 as the one of HTTP/1.1 that means the same (RFC 9113 section 8), and judges it by the same
 * rules: what two readers could read differently is refused. Node's parser refuses much of it before; nothing here relies
 * on that. `endsHere`: no body follows.
 */
export function readHttp2Head(section: FieldSection, endsHere: boolean, limits: HeadLimits): Http2Head {
  const draft = sortFields(section);
  if (!('fields' in draft)) return { kind: 'fault', fault: draft };
  const { pseudo, fields, cookies } = draft;
  const method = pseudo.get(':method') ?? '';
  if (method === 'CONNECT') return fault('method CONNECT', 501);
  if (!isFieldName(method)) return fault('a method that is no token');
  const target = pseudo.get(':path') ?? '';
  const scheme = pseudo.get(':scheme') ?? '';
  if (target === '' || !/^https?$/.test(scheme)) {
    return fault('a request without :path, or a :scheme of http or https');
  }
  const host = agreedHost(pseudo.get(':authority'), draft.hosts);
  if (host === undefined) return fault('no host, several, or Host is another than :authority');
  // RFC 9113 section 8.2.3: pieces of one field, which upstreams of HTTP/1.1 have to get as one.
  const cookie = cookies.length === 0 ? [] : ['cookie', cookies.join('; ')];
  const headers = ['host', host, ...fields, ...cookie];
  const verdict = judgeFraming({ method, target, httpVersion: '1.1', headers }, limits);
  if (verdict.kind === 'fault') return verdict;
  const { body, expectsContinue } = verdict;
  if (endsHere && body.kind === 'length') return fault('a Content-Length, and no body');
  const has = (name: string) => headerValues({ headers }, name).length > 0;
  // HTTP/1.1 would have to say so; here a body ends with its stream. The gate is told as HTTP/1.1 would tell it: what it
  // took for a request without a body could bind nothing to it.
  const isOpen = !endsHere && body.kind === 'none' && !has('content-length');
  return {
    kind: 'clear',
    method,
    target,
    headers: isOpen ? [...headers, 'transfer-encoding', 'chunked'] : headers,
    body: isOpen ? { kind: 'chunked' } : body,
    expectsContinue: expectsContinue || (isOpen && has('expect')),
  };
}

function fault(detail: string, status = 400): { readonly kind: 'fault'; readonly fault: FramingFault } {
  return { kind: 'fault', fault: { status, detail } };
}

/** RFC 9113 sections 8.2 and 8.3: pseudo-headers first, known ones, each once; names in lower case. */
function sortFields(section: FieldSection): Draft | FramingFault {
  const draft: Draft = { pseudo: new Map(), fields: [], hosts: [], cookies: [] };
  let seenField = false;
  for (let i = 0; i < section.length; i += 2) {
    const name = section[i] as string;
    const value = section[i + 1] as string;
    if (name.startsWith(':')) {
      if (name === ':protocol') return { status: 501, detail: 'extended CONNECT' };
      if (!pseudoHeaders.has(name)) return { status: 400, detail: 'an unknown pseudo-header' };
      if (seenField || draft.pseudo.has(name))
        return { status: 400, detail: 'a pseudo-header behind a field, or twice' };
      draft.pseudo.set(name, value);
      continue;
    }
    seenField = true;
    const problem = findFieldProblem(name, value);
    if (problem !== undefined) return { status: 400, detail: problem };
    if (name === 'host') draft.hosts.push(value);
    else if (name === 'cookie') draft.cookies.push(value);
    else draft.fields.push(name, value);
  }
  return draft;
}

function findFieldProblem(name: string, value: string): string | undefined {
  if (/[A-Z]/.test(name)) return 'a field name in upper case';
  if (connectionFields.has(name)) return 'a field that belongs to an HTTP/1 connection';
  if (name === 'te' && value !== 'trailers') return 'TE is something else than trailers';
  // Section 8.2.1: HTTP/1.1 would drop it, and with it what was judged.
  if (/^[ \t]|[ \t]$/.test(value)) return 'a field value with a space at an end';
  return undefined;
}

/** Section 8.3.1: both name the same host, or one of them is missing. */
function agreedHost(authority: string | undefined, hosts: readonly string[]): string | undefined {
  const [host, ...more] = hosts;
  if (more.length > 0) return undefined;
  const named = authority ?? host;
  if (named === undefined || !isHost(named)) return undefined;
  return host === undefined || host.toLowerCase() === named.toLowerCase() ? named : undefined;
}
