import { describe, expect, test } from 'vitest';
import { createGrant } from '../../src/sign/grant.ts';
import { defaultInto, signingOf } from '../../src/sign/signing.ts';
import { signerOf, signingKey, signingValues } from '../support/signing.ts';
import { granting, json, startTokenEndpoint } from '../support/token-endpoint.ts';

const nowMs = Date.now();
const key = await signingKey({ algorithm: 'HS256' });
const parts = { now: Date.now, random: Math.random, env: {} };

test.each([
  [defaultInto, { kind: 'header', name: 'authorization', scheme: 'bearer' }, 'Authorization', 'Bearer'],
  [{ header: 'X-Token' }, { kind: 'header', name: 'x-token', scheme: undefined }, 'X-Token', undefined],
  [{ query: 'Jwt' }, { kind: 'query', name: 'Jwt' }, 'Jwt', undefined],
])('%j', (into, location, name, scheme) => {
  expect(signingOf(signerOf({ key }), into)).toMatchObject({ into: location, name, scheme });
});

test('it says whether it reads claims', () => {
  const signings = [{}, { sub: '${claims.sub}' }].map((payload) => signingOf(signerOf({ key, payload }), defaultInto));
  expect(signings.map(({ readsClaims }) => readsClaims)).toEqual([false, true]);
});

describe('without a grant', () => {
  test('the signed token is issued at once', () => {
    const { issue } = signingOf(signerOf({ key }), defaultInto);
    expect(issue(signingValues(), nowMs)).toEqual({ kind: 'issued', token: expect.stringMatching(/^eyJ/) });
  });

  test('what can not be signed is a failure for which waiting does not help', () => {
    const { issue } = signingOf(signerOf({ key, payload: { exp: '${claims.exp}' } }), defaultInto);
    expect(issue(signingValues(), nowMs)).toEqual({ kind: 'failed', detail: expect.stringContaining('exp') });
  });
});

describe('with a grant', () => {
  test('the access token is issued, at once while it lasts, and anew when the upstream refuses it', async () => {
    await using endpoint = await startTokenEndpoint(granting());
    const signer = signerOf({ key });
    const grant = createGrant({ tokenEndpoint: endpoint.url, signer }, parts);
    const { issue } = signingOf(signer, defaultInto, grant);
    const first = await issue(signingValues(), nowMs);
    expect(first).toMatchObject({ kind: 'issued', token: 'at-1' });
    expect(issue(signingValues(), nowMs)).toMatchObject({ kind: 'issued', token: 'at-1' });
    if (first.kind === 'issued') first.rejected?.();
    expect(await issue(signingValues(), nowMs)).toMatchObject({ kind: 'issued', token: 'at-2' });
    grant.close();
  });

  test('a refusal says when to come again', async () => {
    await using endpoint = await startTokenEndpoint(json('', 503, { 'retry-after': '7' }));
    const signer = signerOf({ key });
    const grant = createGrant({ tokenEndpoint: endpoint.url, signer }, parts);
    const failed = await signingOf(signer, defaultInto, grant).issue(signingValues(), nowMs);
    expect(failed).toMatchObject({ kind: 'failed', retryAfterS: 7, detail: expect.stringContaining('503') });
    grant.close();
  });
});
