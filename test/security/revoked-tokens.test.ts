import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decide } from '../../src/gate/decide.ts';
import type { Decision } from '../../src/gate/decision.ts';
import type { RevocationList } from '../../src/gate/revocation.ts';
import { parseRevocations, type Revocations } from '../../src/state/revocations.ts';
import { secretOf, testPolicy } from '../support/policy.ts';
import { mintHs256 } from '../support/tokens.ts';
import { keepingCache } from '../support/verdicts.ts';

const nowMs = 1_000_000_000;
const nowS = nowMs / 1000;
const verdicts = keepingCache({ entries: 20, bytes: 1_000_000 });
let revocations: Revocations;
const list: RevocationList = {
  find: (tenant, token) => {
    const detail = revocations.find(tenant, token);
    return detail === undefined ? undefined : { kind: 'revoked', detail };
  },
};
const policy = testPolicy({
  acme: { match: [{ issuer: 'acme' }], kid: 'key-of-acme', revocations: [list] },
  globex: { match: [{ issuer: 'globex' }], kid: 'key-of-globex', revocations: [list] },
});

async function ask(tenant: string, claims: object): Promise<Decision> {
  const token = mintHs256(secretOf(tenant), {
    header: { kid: `key-of-${tenant}` },
    claims: { iss: tenant, exp: nowS + 100, ...claims },
  });
  const head = {
    id: 'r1',
    method: 'GET',
    target: '/',
    httpVersion: '1.1' as const,
    headers: ['Host', 'gate', 'Authorization', `Bearer ${token}`],
    scheme: 'http' as const,
    peer: '10.0.0.1',
  };
  const body = { read: () => Promise.resolve({ kind: 'broken' as const }) };
  return decide(head, { policy, verdicts, body, nowMs });
}

const tenant = fc.constantFrom('acme', 'globex');
const id = fc.constantFrom('a', 'b', 'c', 'two words');
const time = fc.integer({ min: nowS - 3, max: nowS });
const claims = fc.record({ jti: id, sub: id, iat: time }, { requiredKeys: [] });
const entry = fc.record({
  tenant: fc.option(tenant, { nil: undefined }),
  what: fc.oneof(
    fc.record({ jti: id }),
    fc.record({ kid: fc.constantFrom('key-of-acme', 'key-of-other') }),
    fc.record({ sub: id, before: fc.option(time, { nil: undefined }) }),
    fc.record({ before: time }),
  ),
});
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;
type Claims = { readonly jti?: string; readonly sub?: string; readonly iat?: number };

function lineOf({ tenant, what }: Entry): string {
  const words = Object.entries(what).filter(([, value]) => value !== undefined);
  const scope = tenant === undefined ? '' : `tenant ${tenant} `;
  return `${scope}${words.map(([name, value]) => `${name} ${typeof value === 'number' ? value : JSON.stringify(value)}`).join(' ')}\n`;
}

/** The page's own words, one entry at a time. */
function revokes({ tenant, what }: Entry, ofTenant: string, { jti, sub, iat }: Claims): boolean {
  if (tenant !== undefined && tenant !== ofTenant) return false;
  if ('jti' in what) return jti === what.jti;
  if ('kid' in what) return what.kid === `key-of-${ofTenant}`;
  if ('sub' in what && sub !== what.sub) return false;
  return what.before === undefined || iat === undefined || iat < what.before;
}

test('no revoked token passes, and every other does, whatever the verdict cache holds and however the list changes', async () => {
  const request = fc.tuple(tenant, claims);
  const round = fc.record({
    entries: fc.array(entry, { maxLength: 4 }),
    requests: fc.array(request, { maxLength: 12 }),
  });
  let refused = 0;
  let passed = 0;
  let fromCache = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(round, { maxLength: 4 }), async (rounds) => {
      for (const { entries, requests } of rounds) {
        const read = await parseRevocations(Buffer.from(entries.map(lineOf).join('')));
        if (read.kind === 'problem') throw new Error(read.detail);
        revocations = read;
        for (const [of, claims] of requests) {
          const decision = await ask(of, claims);
          const isRevoked = entries.some((one) => revokes(one, of, claims));
          expect(decision.kind).toBe(isRevoked ? 'refused' : 'allowed');
          if (decision.kind === 'refused') expect(decision.reason).toBe('tokenRevoked');
          if (decision.facts.cached === true) fromCache++;
          if (isRevoked) refused++;
          else passed++;
        }
      }
    }),
    { numRuns: 300 },
  );
  // The property was put to the test in all its parts.
  expect(Math.min(refused, passed, fromCache)).toBeGreaterThan(50);
});
