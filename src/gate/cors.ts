import { isFieldName } from './field-name.ts';
import { headerValues, type RequestHead } from './request-head.ts';

/** A tenant's `cors`, as the WHATWG Fetch standard's protocol needs it. */
export interface CorsSpec {
  /** `answer`: preflights end here, and responses get CORS headers. `pass`: the upstream speaks CORS itself. */
  readonly preflight: 'answer' | 'pass';
  /** Origins as browsers send them, `https://*.example.com` for every host below one, or `*` for any. */
  readonly origins: readonly string[];
  /** Undefined: what the preflight asks for. */
  readonly methods: readonly string[] | undefined;
  readonly headers: readonly string[] | undefined;
  readonly exposeHeaders: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeS: number;
}

export interface Cors {
  readonly preflight: 'answer' | 'pass';
  /** Headers of the answer to a preflight. */
  readonly answer: (head: CorsHead) => readonly string[];
  /** Headers with which a page of the request's origin may read a response; just Vary where it may not. */
  readonly expose: (head: CorsHead) => readonly string[];
}

type CorsHead = Pick<RequestHead, 'headers' | 'method'>;

/**
 * A CORS preflight and nothing else: OPTIONS with one Origin and one Access-Control-Request-Method. Any other OPTIONS
 * is a request like every other.
 */
export function isPreflight(head: CorsHead): boolean {
  return (
    head.method === 'OPTIONS' &&
    headerValues(head, 'origin').length === 1 &&
    headerValues(head, 'access-control-request-method').length === 1 &&
    isFieldName(headerValues(head, 'access-control-request-method')[0] as string)
  );
}

const vary = ['Vary', 'Origin'];

export function compileCors(spec: CorsSpec): Cors | { readonly problem: string } {
  const any = spec.origins.includes('*');
  if (any && spec.credentials) {
    return { problem: 'origins: "*" with credentials: true would let every site act as the user: name the origins' };
  }
  const isAllowed = compileOrigins(spec.origins);
  if (typeof isAllowed !== 'function') return isAllowed;
  const exposed = [...new Set(['WWW-Authenticate', 'X-Request-Id', 'Retry-After', ...spec.exposeHeaders])].join(', ');

  const allowOrigin = (head: CorsHead): string | undefined => {
    const origins = headerValues(head, 'origin');
    const origin = origins.length === 1 ? (origins[0] as string) : undefined;
    if (origin === undefined || !isAllowed(origin)) return undefined;
    return any ? '*' : origin;
  };
  const credentials = spec.credentials ? ['Access-Control-Allow-Credentials', 'true'] : [];

  return {
    preflight: spec.preflight,
    expose: (head) => {
      const origin = allowOrigin(head);
      if (origin === undefined) return vary;
      return ['Access-Control-Allow-Origin', origin, ...credentials, 'Access-Control-Expose-Headers', exposed, ...vary];
    },
    answer: (head) => {
      const origin = allowOrigin(head);
      const varies = ['Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'];
      if (origin === undefined) return varies;
      const requested = requestedHeaders(head);
      const headers = spec.headers ?? requested;
      return [
        'Access-Control-Allow-Origin',
        origin,
        ...credentials,
        'Access-Control-Allow-Methods',
        (spec.methods ?? headerValues(head, 'access-control-request-method')).join(', '),
        ...(headers.length === 0 ? [] : ['Access-Control-Allow-Headers', headers.join(', ')]),
        'Access-Control-Max-Age',
        String(spec.maxAgeS),
        ...varies,
      ];
    },
  };
}

/** Only names that are names: what comes back was never more than a list of tokens. */
function requestedHeaders(head: CorsHead): readonly string[] {
  return headerValues(head, 'access-control-request-headers')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim())
    .filter(isFieldName)
    .slice(0, 50);
}

const originForm = /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[a-z0-9.-]+(?::\d{1,5})?$/;

function compileOrigins(origins: readonly string[]): ((origin: string) => boolean) | { readonly problem: string } {
  const exact = new Set<string>();
  const below: { readonly scheme: string; readonly suffix: string }[] = [];
  for (const origin of origins) {
    if (origin === '*') return () => true;
    const lower = origin.toLowerCase();
    if (!originForm.test(lower)) {
      return { problem: `"${origin}" is no origin: scheme://host or scheme://host:port, without a path` };
    }
    const star = lower.indexOf('*');
    if (star === -1) exact.add(lower);
    else below.push({ scheme: lower.slice(0, star), suffix: lower.slice(star + 1) });
  }
  return (origin) => {
    const lower = origin.toLowerCase();
    // "null" is what any sandboxed page sends: nobody's origin.
    if (exact.has(lower)) return true;
    return below.some(
      ({ scheme, suffix }) =>
        lower.startsWith(scheme) &&
        lower.endsWith(suffix) &&
        /^[a-z0-9.-]+$/.test(lower.slice(scheme.length, -suffix.length)),
    );
  };
}
