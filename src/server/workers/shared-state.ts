import { newSendingState } from '../../config/compile-sending.ts';
import type { HeldState } from '../../config/deps.ts';
import type { Grant } from '../../sign/grant.ts';
import type { SigningKeys } from '../../sign/signing-keys.ts';
import { createKeptAcrossReloads } from '../../state/kept-across-reloads.ts';
import type { ProvisionResult, Provisions } from '../../state/provisions.ts';
import { createRateLimits } from '../../state/rate-limits.ts';
import { createReplayStores, type ReplayStores } from '../../state/replay-stores.ts';
import { createListFetcher } from '../../state/revocation-lists.ts';
import type { PrimaryAnswers } from './messages.ts';
import { createSharedDocuments } from './shared-documents.ts';
import type { Worker } from './worker-process.ts';

/** What must hold over all workers, and so is kept by the primary. */
export interface SharedState {
  /** To load a config with: what it names is held here as long as its leases are. */
  readonly held: HeldState;
  readonly signingKeys: SigningKeys;
  /** Hears of sources that say something else than before, or answer again. */
  onNews(tell: (source: string) => void): void;
  /** Used tokens remembered. */
  usedTokens(): number;
  answersFor(worker: Worker): Omit<PrimaryAnswers, 'load' | 'beat'>;
  /** What this worker had begun it won't end. */
  forget(worker: Worker): void;
  /** Ends connections. */
  close(): void;
}

interface Flight {
  readonly worker: Worker;
  readonly settle: (result: ProvisionResult) => void;
}

export function createSharedState(env: NodeJS.ProcessEnv): SharedState {
  let tellNews: (source: string) => void = () => {};
  const replays = createReplayStores();
  const rateLimits = createRateLimits();
  const grants = createKeptAcrossReloads<Grant>((grant) => grant.close());
  const sending = { ...newSendingState(env), rateLimits, grants };
  const { signingKeys, provisions } = sending;
  const fetcher = createListFetcher(env, Date.now, (source) => tellNews(source));
  const documents = createSharedDocuments({
    fetchDocument: fetcher.fetch,
    nowMs: Date.now,
    onNews: (source) => tellNews(source),
  });
  const flights = new Map<string, Flight>();

  return {
    held: { replays: withoutRedis(replays), sending },
    signingKeys,
    onNews(tell) {
      tellNews = tell;
    },
    usedTokens: () => replays.status().entries,
    answersFor: (worker) => ({
      replayUse: ({ tenant, id, untilMs }) => replays.findMemory(tenant)?.use(id, untilMs, Date.now()),
      replayAsk: ({ tenant, id }) => replays.findMemory(tenant)?.ask(id),
      takeShare: ({ key }) => rateLimits.find(key)?.take(Date.now()),
      provision: ({ key, rememberMs }) => provision(provisions, flights, worker, key, rememberMs),
      provisioned({ key, result }) {
        const flight = flights.get(key);
        if (flight?.worker === worker) flight.settle(result);
      },
      authorize: ({ key, values }) => grants.find(key)?.authorize(values),
      invalidate: ({ key, values, accessToken }) => grants.find(key)?.invalidate(values, accessToken),
      signed: ({ key, expiresAtMs }) => signingKeys.noteSigned(key, expiresAtMs),
      fetch: documents.fetch,
    }),
    forget(worker) {
      for (const flight of flights.values()) {
        if (flight.worker === worker) flight.settle({ kind: 'failed', detail: 'the process that called ended' });
      }
    },
    close: fetcher.close,
  };
}

/** A store that all replicas share is each worker's own affair. */
function withoutRedis(replays: ReplayStores): ReplayStores {
  const nobody = { use: () => ({ kind: 'unavailable', detail: 'not here', retryAfterS: 1 }) as const };
  return {
    ...replays,
    holdRedis: () => ({ store: { use: nobody.use, ask: nobody.use }, release: () => undefined }),
  };
}

/** Whoever asks first is to call; the others hear what came of it. */
async function provision(
  provisions: Provisions,
  flights: Map<string, Flight>,
  worker: Worker,
  key: string,
  rememberMs: number,
): Promise<ProvisionResult | { readonly kind: 'call' }> {
  const nowMs = Date.now();
  let calls = false;
  const settled = provisions.ensure(key, rememberMs, nowMs, () => {
    calls = true;
    const { promise, resolve } = Promise.withResolvers<ProvisionResult>();
    flights.set(key, { worker, settle: resolve });
    return promise.finally(() => flights.delete(key));
  });
  if (calls) return { kind: 'call' };
  const result = settled === undefined ? { kind: 'done' as const } : await settled;
  return result.kind === 'done' ? { kind: 'done', untilMs: provisions.rememberedUntil(key, Date.now()) } : result;
}
