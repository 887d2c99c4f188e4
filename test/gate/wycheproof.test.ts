import { existsSync, readFileSync } from 'node:fs';
import { compactVerify, importJWK, type JWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { verifySignature } from '../../src/gate/verify.ts';
import { algorithmNames } from '../../src/keys/algorithms.ts';
import { importJwk } from '../../src/keys/import-jwk.ts';
import { importKeySet } from '../../src/keys/import-key-set.ts';
import { isKeyProblem } from '../../src/keys/key-problem.ts';
import type { VerificationKey } from '../../src/keys/key-ring.ts';
import { parseJws } from '../support/parse-jws.ts';
import { emptyCache, verifierOf } from '../support/verifier.ts';

/** C2SP's vectors, laid beside the repository; where they are absent the tests say so. */
const folder = new URL('../../../shared/wycheproof/', import.meta.url);
const files = ['json_web_signature', 'json_web_key', 'json_web_crypto'] as const;

type File = (typeof files)[number];
type Jwk = Record<string, unknown>;

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly jws?: string | object;
  readonly result: 'valid' | 'invalid';
}

interface Group {
  readonly comment: string;
  readonly private?: Jwk;
  readonly public?: Jwk;
  readonly tests: readonly Vector[];
}

/** Where we differ from a vector's expected result on purpose; every entry must still be needed. */
const exceptions: readonly { file: File; tcIds: readonly number[]; why: string }[] = [
  {
    file: 'json_web_signature',
    tcIds: [346, 350],
    why: 'valid, refused: the JWK says PS256, the token PS384; a key is bound to its own alg (RFC 8725 section 3.1)',
  },
  {
    file: 'json_web_signature',
    tcIds: [347, 351],
    why: 'valid, refused: the JWK says ES521, which is no algorithm',
  },
  {
    file: 'json_web_signature',
    tcIds: [372, 373],
    why: 'valid, refused: a "?" inside base64url, which the vectors let a decoder skip (RFC 7515 section 2 does not)',
  },
  {
    file: 'json_web_signature',
    tcIds: [367, 370],
    why: 'invalid, accepted: meant to show padding, but the vector is letter for letter the valid one, 357',
  },
  {
    file: 'json_web_key',
    tcIds: [1],
    why: 'invalid, accepted: a set of a secret and a public key; no confusion is possible where each key is bound to its own algorithms, and a set that anybody can fetch may hold no secret at all',
  },
  {
    file: 'json_web_key',
    tcIds: [4],
    why: 'invalid, accepted: of two keys with one kid the second is not canonical base64url, so it is skipped and one is left',
  },
  {
    file: 'json_web_crypto',
    tcIds: [47],
    why: 'invalid, accepted: as json_web_key 1',
  },
];

async function importAll(jwk: Jwk): Promise<readonly VerificationKey[]> {
  const accepted = new Set(algorithmNames);
  if ('keys' in jwk) {
    const set = await importKeySet(jwk, { allowSecret: true }, accepted);
    return isKeyProblem(set) ? [] : set.keys;
  }
  const key = await importJwk(jwk, { allowSecret: true }, accepted);
  return isKeyProblem(key) ? [] : [key];
}

/** Payloads of these vectors are bytes, not claims: everything but the claims' own parsing is as in a request. */
async function isAccepted(jws: string, keys: readonly VerificationKey[]): Promise<boolean> {
  const parsed = parseJws(jws, 16_384);
  if (parsed.kind === 'malformed') return false;
  const verifier = verifierOf(keys, { algorithms: algorithmNames });
  const verdict = await verifySignature(parsed, verifier, emptyCache(), Date.now());
  return verdict.kind === 'verified';
}

async function isAcceptedByJose(jws: string, jwk: Jwk): Promise<boolean> {
  try {
    await compactVerify(jws, await importJWK(jwk as JWK));
    return true;
  } catch {
    return false;
  }
}

describe.each(files)('Wycheproof %s', (file) => {
  const path = new URL(`wycheproof_${file}.json`, folder);
  if (!existsSync(path)) {
    test.skip(`the vectors are not at ${path.pathname}`, () => {});
    return;
  }
  const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as { testGroups: readonly Group[] };
  const differing = new Map(
    exceptions.filter((one) => one.file === file).flatMap(({ tcIds, why }) => tcIds.map((tcId) => [tcId, why])),
  );
  const cases = testGroups.flatMap((group) =>
    group.tests.flatMap((vector) =>
      // Vectors of encryption have no jws; a JSON serialisation is no text that a header could carry.
      typeof vector.jws === 'string' ? [{ ...vector, jws: vector.jws, key: group.public ?? group.private ?? {} }] : [],
    ),
  );

  test('has vectors of both kinds', () => {
    expect(cases.some(({ result }) => result === 'valid')).toBe(true);
    expect(cases.some(({ result }) => result === 'invalid')).toBe(true);
  });

  test.each(cases)('$tcId $comment is $result', async ({ tcId, jws, key, result }) => {
    // A vector's key pair may come as its private half; what we would be given is the public one.
    const { d, p, q, dp, dq, qi, ...publicHalf } = key;
    const keys = await importAll(publicHalf);
    const expected = (result === 'valid') !== differing.has(tcId);
    expect(await isAccepted(jws, keys), differing.get(tcId)).toBe(expected);
  });

  test('nothing is accepted here that jose refuses', async () => {
    for (const { tcId, jws, key } of cases) {
      if ('keys' in key) continue;
      const accepted = await isAccepted(jws, await importAll(key));
      if (accepted) expect(await isAcceptedByJose(jws, key), String(tcId)).toBe(true);
    }
  });
});

describe('Wycheproof json_web_encryption', () => {
  const path = new URL('wycheproof_json_web_encryption.json', folder);
  if (!existsSync(path)) {
    test.skip(`the vectors are not at ${path.pathname}`, () => {});
    return;
  }

  test('nothing is decrypted: every vector is refused, the valid ones as JWEs', () => {
    const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as {
      testGroups: readonly { tests: readonly { tcId: number; jwe: unknown; result: string }[] }[];
    };
    let valid = 0;
    for (const { tcId, jwe, result } of testGroups.flatMap(({ tests }) => tests)) {
      if (typeof jwe !== 'string') continue;
      const parsed = parseJws(jwe, 100_000);
      expect(parsed.kind, String(tcId)).toBe('malformed');
      if (result !== 'valid') continue;
      valid++;
      expect(parsed, String(tcId)).toMatchObject({ detail: expect.stringContaining('JWE') });
    }
    expect(valid).toBeGreaterThan(0);
  });
});
