import { type ClaimPath, parseClaimPath } from '../gate/claims.ts';
import type { Replay } from '../gate/replay.ts';
import type { ReplayStores } from '../state/replay-stores.ts';
import type { HeldSources } from './compile-tenant.ts';
import { complainIn, type Load, type Section } from './model.ts';
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
  const { replay } = section.config;
  if (replay === undefined || replay === 'off') return undefined;
  const claim = parseClaimPath(replay.claim);
  if ('problem' in claim) {
    complainIn(load, section, ['replay', 'claim'], { message: claim.problem });
    return undefined;
  }
  const redisUrl = replay.store === 'memory' ? undefined : replay.store.reveal();
  if (redisUrl !== undefined && !isRedisUrl(redisUrl)) {
    const message = 'must be memory, or a URL such as redis://host:6379/0';
    complainIn(load, section, ['replay', 'store'], { message });
  }
  return { claim, redisUrl, config: replay };
}

function isRedisUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) return false;
  return url.hostname !== '' && /^(?:\/\d{0,4})?$/.test(url.pathname) && url.search === '' && url.hash === '';
}

/** What a prepared one stands for; a hold on its store is put into `into`. Without `stores` there is none. */
export function openReplay(
  prepared: PreparedReplay | undefined,
  tenant: string,
  stores: ReplayStores | undefined,
  into: HeldSources,
): Replay | undefined {
  if (prepared === undefined || stores === undefined) return undefined;
  const { claim, redisUrl, config } = prepared;
  const lease =
    redisUrl === undefined ? stores.holdMemory(tenant, config.entries) : stores.holdRedis(redisUrl, config.timeout);
  into.leases.push(lease);
  return { claim, store: lease.store, allowsOnFailure: config.onStoreFailure === 'allow' };
}
