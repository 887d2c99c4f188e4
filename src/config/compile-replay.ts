import { type ClaimPath, parseClaimPath } from '../gate/claims.ts';
import type { Replay } from '../gate/replay.ts';
import type { ReplayStores } from '../state/replay-stores.ts';
import type { HeldSources } from './compile-tenant.ts';
import type { ConfigPath } from './config-path.ts';
import { complainIn, type Load, type Section } from './model.ts';
import { isRedisUrl } from './redis-url.ts';
import type { ReplayConfig } from './shape/replay.ts';

export interface PreparedReplay {
  readonly claim: ClaimPath;
  /** Undefined: in memory. */
  readonly redisUrl: string | undefined;
  readonly config: ReplayConfig;
}

type WithReplay = Section<{ readonly replay?: ReplayConfig | 'off' | undefined }>;

/** A section's `replay`; what can't be used is a problem. Undefined where it has none. */
export function prepareReplay(section: WithReplay, load: Load): PreparedReplay | undefined {
  return prepareReplayAt(section, ['replay'], section.config.replay, load);
}

/** The same for the `replay` at a path of a section. */
export function prepareReplayAt(
  section: Section<unknown>,
  path: ConfigPath,
  replay: ReplayConfig | 'off' | undefined,
  load: Load,
): PreparedReplay | undefined {
  if (replay === undefined || replay === 'off') return undefined;
  const claim = parseClaimPath(replay.claim);
  if ('problem' in claim) {
    complainIn(load, section, [...path, 'claim'], { message: claim.problem });
    return undefined;
  }
  const redisUrl = replay.store === 'memory' ? undefined : replay.store.reveal();
  if (redisUrl !== undefined && !isRedisUrl(redisUrl)) {
    const message = 'must be memory, or a URL such as redis://host:6379/0';
    complainIn(load, section, [...path, 'store'], { message });
  }
  return { claim, redisUrl, config: replay };
}

/** A tenant's own, and its routes', by route. */
export interface TenantReplays<T> {
  readonly replay: T | undefined;
  readonly routeReplays: readonly (T | 'off' | undefined)[];
}

/**
 * What a tenant's prepared ones stand for; holds on their stores are put into `into`. Without `stores` there are none.
 * What its tokens used is remembered in one memory, with room for the most that any of them asks for.
 */
export function openReplays(
  { tenant, replay, routeReplays }: TenantReplays<PreparedReplay> & { readonly tenant: { readonly id: string } },
  stores: ReplayStores | undefined,
  into: HeldSources,
): TenantReplays<Replay> {
  const entries = [replay, ...routeReplays].flatMap((one) =>
    one === undefined || one === 'off' || one.redisUrl !== undefined ? [] : [one.config.entries],
  );
  const open = (prepared: PreparedReplay | undefined): Replay | undefined => {
    if (prepared === undefined || stores === undefined) return undefined;
    const { claim, redisUrl, config } = prepared;
    const lease =
      redisUrl === undefined
        ? stores.holdMemory(tenant.id, Math.max(...entries))
        : stores.holdRedis(redisUrl, config.timeout);
    into.leases.push(lease);
    return { claim, store: lease.store, allowsOnFailure: config.onStoreFailure === 'allow' };
  };
  return { replay: open(replay), routeReplays: routeReplays.map((one) => (one === 'off' ? one : open(one))) };
}
