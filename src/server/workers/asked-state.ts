import type { SendingState } from '../../config/compile-sending.ts';
import type { ReplayUse } from '../../gate/replay.ts';
import { type FetchDocument, failure } from '../../keys/fetch-document.ts';
import type { SigningKeys } from '../../sign/signing-keys.ts';
import { createProvisions, type ProvisionResult, type Provisions } from '../../state/provisions.ts';
import type { RateLimits } from '../../state/rate-limits.ts';
import type { ReplayStores } from '../../state/replay-stores.ts';
import type { ChannelToPrimary } from './messages.ts';
import { documentId } from './shared-documents.ts';

/*
 * What must hold over all workers, as a worker sees it: the primary keeps it and is asked. Where it does not answer the
 * request is refused: nobody could tell what the others have let through.
 */

/** In memory, at the other end of a pipe: a primary that takes longer is in trouble. */
const answerMs = 2_000;
const silent = 'the process that counts for all workers did not answer';

/** Tokens in memory are remembered by the primary. */
export function askedReplays(channel: ChannelToPrimary, own: ReplayStores): ReplayStores {
  // `full`, as that is refused whatever the config says of stores that are away.
  const unknown: ReplayUse = { kind: 'full', detail: silent, retryAfterS: 1 };
  return {
    ...own,
    holdMemory: (tenant) => ({
      store: {
        use: async (id, untilMs) => (await channel.ask('replayUse', { tenant, id, untilMs }, answerMs)) ?? unknown,
        ask: async (id) => (await channel.ask('replayAsk', { tenant, id }, answerMs)) ?? unknown,
      },
      release: () => undefined,
    }),
  };
}

export function askedRateLimits(channel: ChannelToPrimary): RateLimits {
  return {
    hold: (key) => ({
      value: {
        take: async () =>
          (await channel.ask('takeShare', { key }, answerMs)) ?? {
            kind: 'unavailable',
            detail: silent,
            retryAfterS: 1,
          },
      },
      release: () => undefined,
    }),
  };
}

/** Users known to be provisioned; for others the primary is asked once more, which costs no call. */
const mostRemembered = 10_000;
/** Longer than a call to an endpoint should take: it may be another worker's that is waited for. */
const mostCallMs = 120_000;

/** One call a user, whichever worker makes it. */
export function askedProvisions(channel: ChannelToPrimary): Provisions {
  // What comes of being asked joins what is asked meanwhile, and is remembered, as without workers.
  const concurrent = Number.POSITIVE_INFINITY;
  const own = createProvisions({ entries: mostRemembered, concurrent, concurrentOfGroup: concurrent });
  return {
    ...own,
    ensure(key, rememberMs, nowMs, call) {
      return own.ensure(key, rememberMs, nowMs, () => provision(key, rememberMs, call));
    },
  };

  async function provision(
    key: string,
    rememberMs: number,
    call: () => Promise<ProvisionResult>,
  ): Promise<ProvisionResult> {
    const answer = await channel.ask('provision', { key, rememberMs }, mostCallMs);
    if (answer === undefined) return { kind: 'failed', detail: silent };
    if (answer.kind !== 'call') return answer;
    const result = await call();
    channel.tell('provisioned', { key, result });
    return result;
  }
}

/** Access tokens are the primary's: one request to the endpoint, whichever worker needs the token. */
export function askedGrants(channel: ChannelToPrimary): SendingState['grants'] {
  return {
    acquire: (key) => ({
      value: {
        authorize: async (values) =>
          (await channel.ask('authorize', { key, values }, mostCallMs)) ?? {
            kind: 'failed',
            detail: silent,
            retryAfterS: 1,
          },
        invalidate(values, accessToken) {
          channel.tell('invalidate', { key, values, accessToken });
          return true;
        },
        close: () => undefined,
      },
      release: () => undefined,
    }),
  };
}

/** The primary fetches, once for all workers. */
export function askedFetches(channel: ChannelToPrimary): FetchDocument {
  const seen = new Map<string, number>();
  return async ({ signal: _, url, ...rest }) => {
    const request = { ...rest, url: url.href };
    const id = documentId(request);
    const answer = await channel.ask('fetch', { request, seen: seen.get(id) ?? 0 }, request.timeoutMs + answerMs);
    if (answer === undefined) return failure('unreachable', silent);
    seen.set(id, answer.serial);
    return answer.result;
  };
}

/** Keys that signed here stay published by the primary; it is told once a second at most, for each key. */
export function toldSigningKeys(channel: ChannelToPrimary, own: SigningKeys): SigningKeys {
  const told = new Map<string, number>();
  return {
    ...own,
    noteSigned(key, expiresAtMs) {
      own.noteSigned(key, expiresAtMs);
      if (key.publicJwk === undefined || expiresAtMs <= (told.get(key.id) ?? 0)) return;
      // A little more than is true, so that the next token of the same second is told of already.
      told.set(key.id, expiresAtMs + toldAheadMs);
      channel.tell('signed', { key: { id: key.id, publicJwk: key.publicJwk }, expiresAtMs: expiresAtMs + toldAheadMs });
    },
  };
}

const toldAheadMs = 1_000;
