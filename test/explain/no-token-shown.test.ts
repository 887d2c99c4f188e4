import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explain } from '../../src/explain/explanation.ts';
import { formatExplanation } from '../../src/explain/format-explanation.ts';
import { placeLadder } from '../../src/explain/placed.ts';
import { rehearse } from '../../src/explain/rehearse.ts';
import { loadSound } from '../support/config-files.ts';
import { mintHs256 } from '../support/tokens.ts';

/* An explanation is pasted into tickets and chats: what is in it must be of no use to whoever finds it there. */

const nowMs = Date.parse('2026-11-22T06:33:00Z');
const secret = 's'.repeat(32);
const token = mintHs256(secret, { claims: { sub: 'joe', exp: nowMs / 1000 + 60 } });
const signature = token.split('.')[2] as string;

const config = (mode: string, forwardToken: string) => `upstream: http://127.0.0.1:3000
tenants:
  acme:
    mode: ${mode}
    forwardToken: ${forwardToken}
    secret: {value: ${secret}}
    payloadHeader: X-Payload
    token: [{header: Authorization, scheme: Bearer}, {header: X-Odd}, {query: t}, {cookie: c}, {websocketProtocol: b.}]
`;

const places: Record<string, (value: string) => { headers?: string[]; target?: string }> = {
  'the Authorization header': (value) => ({ headers: ['Authorization', `Bearer ${value}`] }),
  'a header of its own': (value) => ({ headers: ['X-Odd', value] }),
  'the query': (value) => ({ target: `/x?a=1&t=${value}&b=2` }),
  'a parameter nobody reads': (value) => ({ target: `/x?other=${value}` }),
  'a cookie': (value) => ({ headers: ['Cookie', `a=1; c=${value}; d=2`] }),
  'a cookie nobody reads': (value) => ({ headers: ['Cookie', `z=${value}`] }),
  'a WebSocket protocol': (value) => ({
    headers: ['Upgrade', 'websocket', 'Sec-WebSocket-Protocol', `chat, b.${value}`],
  }),
  'the path': (value) => ({ target: `/x/${value}` }),
  'a header nobody reads': (value) => ({ headers: ['X-Debug', `was ${value}!`] }),
  'the Referer': (value) => ({ headers: ['Referer', `https://a.example/?t=${value}`] }),
  'the method': () => ({}),
};

async function shown(text: string, request: { headers?: string[]; target?: string }): Promise<string> {
  const { policy, release } = await loadSound(text);
  const rehearsed = await rehearse(
    {
      id: 'r',
      method: 'GET',
      target: request.target ?? '/x',
      httpVersion: '1.1',
      headers: ['Host', 'gate', ...(request.headers ?? [])],
      scheme: 'http',
      peer: '127.0.0.1',
    },
    { policy, nowMs, body: undefined, replay: 'ask' },
  );
  const explanation = explain(rehearsed, { sourcesOf: () => [], nowMs });
  release();
  const ladder = placeLadder(explanation.ladder, undefined);
  const options = { color: false, nameOf: (file: string) => file };
  return formatExplanation(ladder, explanation, options) + JSON.stringify({ ...explanation, ladder });
}

describe.each(['enforce', 'report'])('with mode: %s', (mode) => {
  describe.each(['keep', 'strip'])('and forwardToken: %s', (forwardToken) => {
    test.each(Object.entries(places))('no signature is shown of a token in %s', async (_, put) => {
      const text = await shown(config(mode, forwardToken), put(token));
      expect(text).not.toContain(signature);
      expect(text).not.toContain(secret);
    });
  });
});

test('nor of a token with a wrong signature, or one that is cut off or broken', async () => {
  const wrong = `${token.slice(0, -43)}${'A'.repeat(43)}`;
  for (const one of [wrong, token.slice(0, -3), `${token}.x`, `${token}=`]) {
    for (const put of Object.values(places)) {
      const text = await shown(config('enforce', 'keep'), put(one));
      expect(text).not.toContain(one.split('.')[2]);
    }
  }
});

test('a credential of another kind is not shown either', async () => {
  const headers = [
    'Authorization',
    'Basic am9lOnB3',
    'X-Api-Key',
    'k-4711',
    'Proxy-Authorization',
    'Basic eA==',
    'Cookie',
    'sid=abcd',
  ];
  const text = await shown(config('report', 'keep'), { headers, target: '/x?api_key=k-4711&password=pw-1' });
  for (const value of ['am9lOnB3', 'k-4711', 'eA==', 'abcd', 'pw-1']) expect(text).not.toContain(value);
  expect(text).toContain('Cookie: sid=[redacted]');
  expect(text).toContain('Authorization: Basic [redacted]');
});

test('nothing of a request reaches the terminal as a control or a turn of direction', async () => {
  const odd = fc.string({
    unit: fc.constantFrom('\u001b', '\u009b', '\u202e', '\u2066', 'a', '%', 'é'),
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(odd, odd, async (value, claim) => {
      const sub = mintHs256(secret, { claims: { sub: claim, exp: nowMs / 1000 + 60 }, header: { typ: value } });
      const text = await shown(config('enforce', 'keep'), {
        headers: ['X-Odd', sub, 'X-B', value],
        target: `/x/${value}`,
      });
      const plain = text.slice(0, text.indexOf('{"at"'));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
      expect(plain).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
    }),
    { numRuns: 60 },
  );
});
