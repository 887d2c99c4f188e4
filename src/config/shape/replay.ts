import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { secretText } from './sensitive.ts';
import { count, duration, words } from './values.ts';

const storeWords = 'must be memory, or a URL such as redis://host:6379/0';

/** Tokens that are for one request each. */
const replayObject = lazyObject({
  claim: () => words().prefault('jti').describe('Path of the claim that tells tokens apart. Default: jti.'),
  store: () =>
    z
      .union([z.literal('memory'), secretText()], { error: storeWords })
      .prefault('memory')
      .describe(
        'Where used tokens are remembered: memory, for a single replica; redis://user:password@host:port/db (rediss:// with TLS) where replicas share it. Default: memory.',
      ),
  onStoreFailure: () =>
    z
      .enum(['refuse', 'allow'])
      .prefault('refuse')
      .describe(
        '`refuse`: 503 while Redis does not answer. `allow`: tokens pass unchecked meanwhile, used ones too. Default: refuse.',
      ),
  timeout: () =>
    duration({ minMs: 10, maxMs: 10_000 })
      .prefault('500ms')
      .describe('Longest wait for an answer of Redis. Default: 500ms.'),
  entries: () =>
    count(1, 10_000_000)
      .prefault(100_000)
      .describe(
        'With memory: most used tokens of one tenant that are remembered, each until its exp; when full, requests get 503. Default: 100000.',
      ),
}).meta({ id: 'replay' });

export const replay = z.union([z.literal('off'), replayObject], { error: 'must be an object {claim, …}, or off' });

export type ReplayConfig = z.output<typeof replayObject>;
