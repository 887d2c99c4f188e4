/**
 * The proxies that can ask jwtgate for a verdict before they forward a request of their own: where each says what the
 * request was, and what it can do with the answer. docs/verify.md has the configuration of each.
 */
export const fronts = {
  /** `auth_request`, configured as docs/verify.md says. */
  nginx: { told: 'originalUri', removal: 'overwrite', statuses: '401 and 403' },
  /** The `auth-url` annotation of Kubernetes' ingress-nginx. */
  'ingress-nginx': { told: 'originalUrl', removal: 'overwrite', statuses: '401 and 403' },
  /** ForwardAuth. */
  traefik: { told: 'forwarded', removal: 'overwrite', statuses: 'any' },
  /** `forward_auth`. */
  caddy: { told: 'forwarded', removal: 'overwrite', statuses: 'any', empties: true },
  /** The Lua action of docs/verify.md. */
  haproxy: { told: 'forwarded', removal: 'X-Jwtgate-Remove', statuses: 'any' },
  /** `ext_authz` over HTTP. */
  envoy: { told: 'requestLine', removal: 'X-Envoy-Auth-Headers-To-Remove', statuses: 'any' },
} as const satisfies Record<string, Front>;

export type FrontName = keyof typeof fronts;

export const frontNames = Object.keys(fronts) as FrontName[];

export interface Front {
  readonly told: keyof typeof tellings;
  /**
   * `overwrite`: copies a fixed list of headers from the answer, and so removes those of them that the answer lacks.
   * Else the header of the answer that lists what is to be removed.
   */
  readonly removal: 'overwrite' | 'X-Jwtgate-Remove' | 'X-Envoy-Auth-Headers-To-Remove';
  /** What it passes on to its client; nginx makes 500 of everything but these two. */
  readonly statuses: 'any' | '401 and 403';
  /** Caddy before 2.10 would set a header that the answer lacks to the name of its own variable. */
  readonly empties?: boolean;
}

/** Lower-case names of the headers in which a front tells of the original request. */
export interface Telling {
  /** Undefined: the question's own method. */
  readonly method: string | undefined;
  /** Undefined: what follows the path prefix in the question's own target. */
  readonly target: string | undefined;
  /** Undefined: `target` is a whole URL, which names them. */
  readonly host: string | undefined;
  readonly scheme: string | undefined;
}

export const tellings = {
  originalUri: {
    method: 'x-original-method',
    target: 'x-original-uri',
    host: 'host',
    scheme: 'x-forwarded-proto',
  },
  originalUrl: { method: 'x-original-method', target: 'x-original-url', host: undefined, scheme: undefined },
  forwarded: {
    method: 'x-forwarded-method',
    target: 'x-forwarded-uri',
    host: 'x-forwarded-host',
    scheme: 'x-forwarded-proto',
  },
  requestLine: { method: undefined, target: undefined, host: 'host', scheme: 'x-forwarded-proto' },
} as const satisfies Record<string, Telling>;

/**
 * Names that say which request is meant. A front sets its own, and they have to be the only ones: what another way of
 * telling says comes from a client (CVE-2026-40575).
 */
export const tellingNames: ReadonlySet<string> = new Set(
  Object.values(tellings).flatMap(({ method, target }: Telling) =>
    [method, target].filter((name) => name !== undefined),
  ),
);
