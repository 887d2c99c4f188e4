import { expect, test } from 'vitest';
import { credentialOfGrant, credentialOfSigner, defaultPlacement, placeToken } from '../../src/sign/credential.ts';
import { createGrant } from '../../src/sign/grant.ts';
import { signerOf, signingKey, signingValues } from '../support/signing.ts';
import { granting, startTokenEndpoint } from '../support/token-endpoint.ts';

const nowMs = Date.now();
const key = await signingKey({ algorithm: 'HS256' });

test.each([
  [defaultPlacement, 'a.b-c', { kind: 'header', name: 'Authorization', value: 'Bearer a.b-c' }],
  [{ kind: 'header', name: 'X-Token', scheme: undefined }, 'a', { kind: 'header', name: 'X-Token', value: 'a' }],
  [{ kind: 'query', name: 'jwt' }, 'a.b_c', { kind: 'query', pair: 'jwt=a.b_c' }],
  [{ kind: 'query', name: 'a&b' }, 'x+/=&admin=1', { kind: 'query', pair: 'a%26b=x%2B%2F%3D%26admin%3D1' }],
] as const)('%j', (placement, token, placed) => {
  expect(placeToken(placement, token)).toEqual(placed);
});

test('a signed token is at hand at once, and another one would fare no better', () => {
  const credential = credentialOfSigner(signerOf({ key }));
  expect(credential.obtain(signingValues(), nowMs)).toMatchObject({ kind: 'obtained', token: expect.any(String) });
  expect(credential.refused(signingValues(), 'x')).toBe(false);
});

test('a token that can not be signed says so, and that waiting does not help', () => {
  const credential = credentialOfSigner(signerOf({ key, payload: { exp: '${claims.exp}' } }));
  expect(credential.obtain(signingValues(), nowMs)).toMatchObject({ kind: 'failed', retryAfterS: undefined });
});

test('a granted token is fetched, kept, and fetched again when the upstream refuses it', async () => {
  await using endpoint = await startTokenEndpoint(granting());
  const parts = { now: Date.now, random: Math.random, env: {} };
  const grant = createGrant({ tokenEndpoint: endpoint.url, signer: signerOf({ key }) }, parts);
  const credential = credentialOfGrant(grant);
  expect(await credential.obtain(signingValues(), nowMs)).toEqual({ kind: 'obtained', token: 'at-1' });
  expect(credential.obtain(signingValues(), nowMs)).toEqual({ kind: 'obtained', token: 'at-1' });
  expect(credential.refused(signingValues(), 'at-1')).toBe(true);
  expect(await credential.obtain(signingValues(), nowMs)).toEqual({ kind: 'obtained', token: 'at-2' });
  grant.close();
});
