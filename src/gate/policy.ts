import type { KeyRing } from '../keys/key-ring.ts';
import type { BasicCredential } from './basic.ts';
import type { BindRule } from './bind.ts';
import type { ClaimCheck, ClaimPath } from './claims.ts';
import type { Cors } from './cors.ts';
import type { JudgedNames } from './headers.ts';
import type { IdentityHeader } from './identity-headers.ts';
import type { TokenLocation } from './locate.ts';
import type { PathPattern } from './path.ts';
import type { MatchAlternative, Recognise } from './recognise.ts';
import type { ErrorFormat } from './refuse.ts';
import type { Replay } from './replay.ts';
import type { RevocationList } from './revocation.ts';
import type { Rule } from './rule.ts';
import type { Sending } from './send.ts';
import type { TokenPlaces } from './token-places.ts';

/** A compiled, frozen config: all that serving needs, and nothing it has to interpret. */
export interface Policy {
  /** Rises with every load in this process. */
  readonly generation: number;
  /** SHA-256 of the effective config, hex: shown to operators. */
  readonly hash: string;
  readonly tenants: ReadonlyMap<string, Tenant>;
  readonly recognise: Recognise;
  /** Folded names (see `foldName`) that any tenant can emit: removed from every inbound request. */
  readonly reservedNames: ReadonlySet<string>;
  readonly judgedNames: JudgedNames;
  /** Lower-case names of the headers that `decide` may write, or take a token out of: what a front copies from /verify. */
  readonly verdictNames: ReadonlySet<string>;
  /** Claims that the access log shows, by the name that they have there. */
  readonly loggedClaims: readonly { readonly name: string; readonly path: ClaimPath }[];
  /** Is this peer's X-Forwarded-* and Forwarded believed? */
  readonly isTrustedProxy: (peer: string) => boolean;
  /**
   * Where all that would be refused is only reported: who stands in for the tenant of a request that has none, and what
   * of it does not travel on. Undefined: such a request is refused.
   */
  readonly unrecognised: { readonly tenant: Tenant; readonly stripped: readonly TokenLocation[] } | undefined;
  /** Error format for refusals before a tenant is recognised. */
  readonly errors: ErrorFormat;
  /** For preflights and refusals before a tenant is recognised. */
  readonly cors: Cors | undefined;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
}

export interface Limits {
  /** Whole request head: request line and headers. */
  readonly headerBytes: number;
  readonly headerCount: number;
  /** One compact token. */
  readonly tokenBytes: number;
  /** Only bodies that a rule must read; others stream. */
  readonly bodyBytes: number;
}

export interface Timeouts {
  /** From the first byte of a request to the end of its head. */
  readonly headerMs: number;
  /** Between requests on a keep-alive connection, and of a streaming exchange with no byte in either direction. */
  readonly idleMs: number;
  readonly connectMs: number;
  /** From the end of the request to the upstream's response head. */
  readonly responseMs: number;
  /** From a stop signal to the drain: what still comes is served meanwhile. */
  readonly drainDelayMs: number;
  /** How long a drain waits for exchanges under way. */
  readonly drainMs: number;
}

export type Access = 'required' | 'optional' | 'public';

export interface Tenant {
  readonly id: string;
  /** SHA-256 over everything that bears on a signature verdict: verdicts never outlive it. */
  readonly fingerprint: string;
  readonly mode: 'enforce' | 'report';
  readonly upstream: Upstream;
  /** What it is recognised by: for those who ask. Requests are looked up in `Policy.recognise`. */
  readonly match?: readonly MatchAlternative[] | undefined;
  /** Accepted locations in the order they are tried. */
  readonly locations: readonly TokenLocation[];
  /** Where tenants of the same upstream take tokens from; undefined: nowhere but where this one does. */
  readonly elsewhere?: TokenPlaces | undefined;
  /** Algorithm names this tenant accepts; a token's own word never widens it. */
  readonly algorithms: ReadonlySet<string>;
  readonly keys: KeyRing;
  readonly checks: TokenChecks;
  readonly routes: readonly Route[];
  readonly access: Access;
  readonly claims: readonly ClaimCheck[];
  readonly binds: readonly BindRule[];
  /** All must hold. */
  readonly rules: readonly Rule[];
  readonly identityHeaders: readonly IdentityHeader[];
  /** Header that gets the payload as it stood in the token: base64url of its JSON. */
  readonly payloadHeader: string | undefined;
  /** Undefined: strip where the token came by query or cookie, keep where by header. */
  readonly forwardToken: 'keep' | 'strip' | undefined;
  readonly normalizePath: boolean;
  readonly errors: ErrorFormat;
  /** The other way in, for servers. */
  readonly basic: BasicCredential | undefined;
  /** The upstream is told which way it was: the tenant, or one of its routes, has both. */
  readonly tellsWay: boolean;
  readonly cors: Cors | undefined;
  readonly sending: Sending;
  /** Each of them may say that a verified token is revoked. */
  readonly revocations: readonly RevocationList[];
  /** End answers that are still under way when their token expires. */
  readonly closeAtExpiry: boolean;
  /** Undefined: a token may be used any number of times. */
  readonly replay: Replay | undefined;
}

/** The registered claims' checks (RFC 7519 section 4.1); all in seconds as in the token. */
export interface TokenChecks {
  readonly requireExp: boolean;
  readonly clockSkewS: number;
  readonly maxAgeS: number | undefined;
  readonly issuers: readonly string[] | undefined;
  readonly subjects: readonly string[] | undefined;
  /** Any of them; undefined: not checked. */
  readonly audiences: readonly string[] | undefined;
  /** Expected JOSE `typ`, lower case, without "application/" (RFC 7515 section 4.1.9). */
  readonly types: readonly string[] | undefined;
}

/** One entry of `routes`; the first whose path and method match decides. */
export interface Route {
  readonly path: PathPattern;
  /** Undefined: every method. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly access: Access;
  readonly claims: readonly ClaimCheck[];
  readonly binds: readonly BindRule[];
  readonly rules: readonly Rule[];
  readonly normalizePath: boolean;
  /** Undefined, here and below: the tenant's. */
  readonly cors: Cors | 'off' | undefined;
  readonly basic: BasicCredential | 'off' | undefined;
  readonly replay: Replay | 'off' | undefined;
}

/** Where requests go. One object per distinct upstream: pools are keyed by `key`. */
export interface Upstream {
  /** Stable text of everything that makes two upstreams share a pool. */
  readonly key: string;
  readonly scheme: 'http' | 'https';
  /** It speaks HTTP/2 and nothing else: without TLS by prior knowledge (RFC 9113 section 3.3), with TLS by ALPN. */
  readonly http2?: boolean | undefined;
  /** Host name or IP without brackets; "" for a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly socketPath: string | undefined;
  /** "" or a path that begins with "/" and does not end with one; put before every target. */
  readonly basePath: string;
  readonly maxConnections: number;
  readonly tls: UpstreamTls | undefined;
  /** `preserve` sends the client's Host; `upstream` sends this upstream's own authority. */
  readonly hostHeader: 'preserve' | 'upstream';
  /** Sent as Accept, and as Content-Type of a body, where the client names none. */
  readonly mediaType: string | undefined;
  /** Path, below `basePath`, that tells whether all is well: for `validate --online`, not for traffic. */
  readonly probe?: string | undefined;
}

export interface UpstreamTls {
  /** PEM text. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
  /** True only by explicit `insecure: true`. */
  readonly insecure: boolean;
}
