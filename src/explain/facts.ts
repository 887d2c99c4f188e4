import type { Case } from '../gate/case.ts';
import type { Target } from '../gate/path.ts';
import type { Tenant } from '../gate/policy.ts';
import type { MatchAlternative } from '../gate/recognise.ts';
import type { Seen, Step } from '../gate/rehearsal.ts';
import type { JsonObject, UnverifiedToken } from '../gate/token.ts';
import type { KeySourceStatus } from '../keys/key-source-status.ts';
import type { Rehearsed, Said } from './rehearse.ts';

/** All that a rehearsal brought to light, and what is known of the keys that it looked at. */
export interface Facts extends Rehearsed {
  readonly target: Target | undefined;
  readonly host: string | undefined;
  readonly tenant: Tenant | undefined;
  readonly alternative: MatchAlternative | undefined;
  readonly case: Case | undefined;
  readonly token: UnverifiedToken | undefined;
  readonly located: Extract<Seen['located'], { kind: 'found' }> | undefined;
  /** Position in the tenant's `routes`; undefined where none decides. */
  readonly routeIndex: number | undefined;
  /** Not to be believed before the signature was verified. */
  readonly unverifiedClaims: JsonObject;
  readonly isVerified: boolean;
  /** The remote sources of the tenant's keys, as they are now. */
  readonly keySources: () => readonly KeySourceStatus[];
  /** By the clock of those sources, in milliseconds since the epoch. */
  readonly keysNowMs: number;
}

/** Steps that come only after the signature was found good. */
const afterSignature: ReadonlySet<Step> = new Set(['time']);

/** What can be asked of keys. */
export interface KeysAtHand {
  /** The remote sources of a tenant's keys. */
  readonly sourcesOf: (tenant: string) => readonly KeySourceStatus[];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

export function gatherFacts(rehearsed: Rehearsed, keys: KeysAtHand): Facts {
  const seen: Seen = Object.assign({}, ...rehearsed.said.map((one) => one.seen));
  const { target, host, tenant, alternative, route, located, token } = seen;
  const routeIndex = route === undefined ? -1 : (tenant?.routes.indexOf(route) ?? -1);
  return {
    ...rehearsed,
    target,
    host,
    tenant,
    alternative,
    case: seen.case,
    token,
    located: located?.kind === 'found' ? located : undefined,
    routeIndex: routeIndex === -1 ? undefined : routeIndex,
    unverifiedClaims: token?.unverifiedClaims ?? {},
    isVerified: rehearsed.said.some(({ step }) => afterSignature.has(step)),
    keySources: () => (tenant === undefined ? [] : keys.sourcesOf(tenant.id)),
    keysNowMs: keys.nowMs,
  };
}

/** What was said, with what was said of one step in several goes as one. */
export function joinedSteps(said: readonly Said[]): readonly Said[] {
  const joined: Said[] = [];
  for (const one of said) {
    const last = joined.at(-1);
    if (last?.step === one.step && one.step === 'tenant') joined[joined.length - 1] = merge(last, one);
    else joined.push(one);
  }
  return joined;
}

function merge(first: Said, second: Said): Said {
  return { step: first.step, seen: { ...first.seen, ...second.seen } };
}
