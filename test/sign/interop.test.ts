import { describe, expect, test } from 'vitest';
import { importPem } from '../../src/keys/import-pem.ts';
import { importSecret } from '../../src/keys/import-secret.ts';
import { isKeyProblem } from '../../src/keys/key-problem.ts';
import { findJwtLibrary, jwtLibraryNames } from '../support/jwt-libraries.ts';
import { keyPair } from '../support/key-pairs.ts';
import { partsOf, signerOf, signingKey, signingValues } from '../support/signing.ts';
import { reasonOf, verifierOf } from '../support/verifier.ts';

const secret = 'sixty-four bytes of secret, which is as long as HS512 wants it!!';

describe.each(jwtLibraryNames)('%s', async (name) => {
  const library = await findJwtLibrary(name);

  test('verifies what is minted here, by every algorithm, and refuses it with another key', async (context) => {
    if ('missing' in library) return context.skip(library.missing);
    const cases = await Promise.all(
      library.algorithms.map(async (algorithm) => {
        const isSecret = algorithm.startsWith('HS');
        const pair = isSecret ? undefined : keyPair(algorithm);
        const key = await signingKey({
          algorithm,
          kid: 'k-1',
          ...(pair === undefined ? { secret: Buffer.from(secret) } : { privateKey: pair.privatePem }),
        });
        const signer = signerOf({ key, payload: { sub: '${claims.sub}', roles: ['a', '${claims.role}'] } });
        const signed = await signer.sign(signingValues({ sub: 'zoë', role: 7 }), Date.now());
        if (signed.kind === 'failed') throw new Error(signed.detail);
        return {
          good: { token: signed.token, algorithm, key: pair?.publicPem ?? secret },
          bad: {
            token: signed.token,
            algorithm,
            key: pair === undefined ? `${secret}!` : keyPair(algorithm, 'another').publicPem,
          },
        };
      }),
    );
    expect(await library.verify(cases.map(({ good }) => good))).toEqual(
      cases.map(({ good }) => ({
        header: { typ: 'JWT', alg: good.algorithm, kid: 'k-1' },
        payload: { ...partsOf(good.token).payload, sub: 'zoë', roles: ['a', 7] },
      })),
    );
    for (const answer of await library.verify(cases.map(({ bad }) => bad))) {
      expect(answer).toEqual({ error: expect.stringMatching(/InvalidSignatureError|VerificationError/) });
    }
  });

  test('mints what verifies here', async (context) => {
    if ('missing' in library) return context.skip(library.missing);
    const keys = library.algorithms.map((algorithm) => {
      const pair = algorithm.startsWith('HS') ? undefined : keyPair(algorithm);
      return { algorithm, signing: pair?.privatePem ?? secret, verifying: pair?.publicPem };
    });
    const payload = { sub: 'zoë', exp: Math.floor(Date.now() / 1000) + 60 };
    const tokens = await library.mint(
      keys.map(({ algorithm, signing }) => ({ payload, header: { typ: 'JWT' }, key: signing, algorithm })),
    );
    for (const [i, { algorithm, verifying }] of keys.entries()) {
      const accepted = new Set([algorithm]);
      const key =
        verifying === undefined
          ? importSecret(Buffer.from(secret), {}, accepted)
          : await importPem(verifying, {}, accepted);
      if (isKeyProblem(key)) throw new Error(key.detail);
      expect(await reasonOf(tokens[i] as string, verifierOf([key], { algorithms: accepted }))).toBe('verified');
    }
  });
});
