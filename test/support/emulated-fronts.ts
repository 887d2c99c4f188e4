import type { FrontName } from '../../src/gate/fronts.ts';
import type { Judged } from '../../src/wire/verify/judge-question.ts';

/** A request as a front's own client sends it. */
export interface ClientRequest {
  readonly method: string;
  readonly target: string;
  /** Flat name, value list, Host among them. */
  readonly headers: readonly string[];
  readonly scheme: 'http' | 'https';
  /** The client's address. */
  readonly ip: string;
}

/** A front as its documentation describes it: what it asks about a client's request, and what it then forwards. */
export interface EmulatedFront {
  readonly method: (request: ClientRequest) => string;
  readonly target: (request: ClientRequest) => string;
  /** What it sets, over whatever the client sent; "" removes. */
  readonly sets: (request: ClientRequest) => Readonly<Record<string, string>>;
}

const original = {
  method: () => 'GET',
  target: () => '/verify',
};

const forwarded = (request: ClientRequest) => ({
  Host: 'jwtgate:9903',
  'X-Forwarded-Method': request.method,
  'X-Forwarded-Uri': request.target,
  'X-Forwarded-Host': valuesOf(request.headers, 'host')[0] ?? '',
  'X-Forwarded-Proto': request.scheme,
  'X-Forwarded-For': request.ip,
});

export const emulatedFronts: Readonly<Record<FrontName, EmulatedFront>> = {
  nginx: {
    ...original,
    sets: (request) => ({
      Host: valuesOf(request.headers, 'host')[0] ?? '',
      'X-Original-Method': request.method,
      'X-Original-URI': request.target,
      'X-Forwarded-Proto': request.scheme,
      'X-Forwarded-For': request.ip,
    }),
  },
  'ingress-nginx': {
    ...original,
    sets: (request) => ({
      Host: 'jwtgate.default.svc',
      'X-Original-URL': `${request.scheme}://${valuesOf(request.headers, 'host')[0]}${request.target}`,
      'X-Original-Method': request.method,
      'X-Forwarded-Proto': '',
      'X-Forwarded-For': request.ip,
      'X-Real-IP': request.ip,
      'X-Sent-From': 'nginx-ingress-controller',
      'X-Auth-Request-Redirect': request.target,
    }),
  },
  traefik: { ...original, sets: forwarded },
  caddy: { ...original, sets: forwarded },
  haproxy: { ...original, sets: forwarded },
  envoy: {
    method: ({ method }) => method,
    target: ({ target }) => `/verify${target}`,
    sets: (request) => ({
      'X-Forwarded-Proto': request.scheme,
      'X-Forwarded-For': request.ip,
      'Content-Length': '0',
    }),
  },
};

const ofTheConnection = new Set(['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'content-length']);

/** The headers of the question: the client's, but for what the front sets, and what concerns its connection alone. */
export function questionHeaders(front: EmulatedFront, request: ClientRequest): string[] {
  const sets = front.sets(request);
  const set = new Set(Object.keys(sets).map((name) => name.toLowerCase()));
  const list: string[] = [];
  for (const [name, value] of pairs(request.headers)) {
    if (!set.has(name.toLowerCase()) && !ofTheConnection.has(name.toLowerCase())) list.push(name, value);
  }
  for (const [name, value] of Object.entries(sets)) if (value !== '') list.push(name, value);
  return list;
}

/** The headers that the front's upstream gets: the client's, changed as the answer and docs/verify.md say. */
export function headersForwarded(
  name: FrontName,
  request: ClientRequest,
  answer: Judged['answer'],
  verdictNames: ReadonlySet<string>,
): string[] {
  const removed = new Set(listedForRemoval(answer.headers));
  // These copy a fixed list, by which what the answer lacks is gone; the others what the answer has.
  const overwritten = ['envoy', 'haproxy'].includes(name)
    ? new Set(pairs(answer.headers).map(([each]) => each.toLowerCase()))
    : verdictNames;
  const kept = pairs(request.headers).filter(([each]) => {
    return !removed.has(each.toLowerCase()) && !overwritten.has(each.toLowerCase());
  });
  const copied = pairs(answer.headers).filter(([each, value]) => verdictNames.has(each.toLowerCase()) && value !== '');
  return [...kept, ...copied].flat();
}

export function listedForRemoval(headers: readonly string[]): string[] {
  return [...valuesOf(headers, 'x-envoy-auth-headers-to-remove'), ...valuesOf(headers, 'x-jwtgate-remove')].flatMap(
    (list) => list.split(','),
  );
}

export function valuesOf(headers: readonly string[], lower: string): string[] {
  return pairs(headers).flatMap(([name, value]) => (name.toLowerCase() === lower ? [value] : []));
}

export function pairs(headers: readonly string[]): [name: string, value: string][] {
  const list: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) list.push([headers[i] as string, headers[i + 1] as string]);
  return list;
}
