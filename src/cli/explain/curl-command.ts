import type { RequestDescription } from '../../explain/request-description.ts';
import { type Draft, newDraft, takeOptions } from './curl-options.ts';
import { splitShellWords } from './shell-words.ts';

export type ReadRequest =
  | { readonly kind: 'request'; readonly request: RequestDescription }
  | { readonly kind: 'problem'; readonly detail: string };

/** Reads a command line of curl as the request that it would send. Nothing of it is run, and no file it names is read. */
export function readCurlCommand(command: string): ReadRequest {
  const split = splitShellWords(command);
  if (split.kind === 'problem') return problem(split.detail);
  const [name, ...words] = split.words;
  if (name === undefined || !/(?:^|\/)curl(?:\.exe)?$/.test(name)) return problem('it does not begin with curl');
  const draft = newDraft();
  const fault = takeOptions(draft, words);
  return fault === undefined ? finish(draft) : problem(fault);
}

function problem(detail: string): ReadRequest {
  return { kind: 'problem', detail };
}

function finish(draft: Draft): ReadRequest {
  const { url, data, json, form, isGet, isHead } = draft;
  if (url === undefined) return problem('it names no URL');
  const headers = [...draft.headers];
  const body = isGet || data === undefined ? undefined : data.join(json ? '' : '&');
  const offer = (name: string, value: string) => {
    const given = headers.some(([one]) => one.toLowerCase() === name.toLowerCase());
    if (!given && !draft.removed.includes(name.toLowerCase())) headers.push([name, value]);
  };
  offer('User-Agent', 'curl');
  offer('Accept', json ? 'application/json' : '*/*');
  if (draft.compressed) offer('Accept-Encoding', 'deflate, gzip, br, zstd');
  if (json) offer('Content-Type', 'application/json');
  else if (body !== undefined) offer('Content-Type', 'application/x-www-form-urlencoded');
  else if (form) offer('Content-Type', 'multipart/form-data');
  const method = draft.method ?? (isHead ? 'HEAD' : isGet || (body === undefined && !form) ? 'GET' : 'POST');
  const withData = isGet && data !== undefined ? appendQuery(url, data.join('&')) : url;
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(withData) ? withData : `http://${withData}`;
  return {
    kind: 'request',
    request: {
      method,
      url: draft.pathAsIs ? whole : withoutDotSegments(whole),
      headers,
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    },
  };
}

function appendQuery(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** As curl does without --path-as-is (RFC 3986 section 5.2.4). */
function withoutDotSegments(url: string): string {
  const [, start = '', path = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)([^?#]*)(.*)$/is.exec(url) ?? [];
  const kept: string[] = [];
  const segments = path.split('/');
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') kept.length = Math.max(1, kept.length - 1);
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (last) kept.push('');
  }
  return `${start}${kept.join('/')}${rest}`;
}
