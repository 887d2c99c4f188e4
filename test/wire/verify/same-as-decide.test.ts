import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frontNames } from '../../../src/gate/fronts.ts';
import { isEachProxysOwn } from '../../../src/gate/headers.ts';
import type { RequestHead } from '../../../src/gate/request-head.ts';
import { judgeQuestion } from '../../../src/wire/verify/judge-question.ts';
import {
  type ClientRequest,
  emulatedFronts,
  headersForwarded,
  pairs,
  questionHeaders,
} from '../../support/emulated-fronts.ts';
import { tokenOf } from '../../support/running-gate.ts';
import { gateOf } from './verify-rig.ts';

// The proxy forwards what decide() returns. A front forwards what its client sent, changed as our answer says: it has to
// be the same, or the answer must be no.

const tenants = ['acme', 'baked', 'asked', 'socketed', 'watched', 'paged', 'bodied'];
const tokens = Object.fromEntries(tenants.map((tenant) => [tenant, tokenOf(tenant, { email: 'a@acme.example' })]));

const name = fc.constantFrom(
  ...[
    'X-User-Id',
    'x-user-id',
    'X_User_Id',
    'X.User.Id',
    'X-User-Email',
    'X-Jwt-Tenant',
    'X_Jwt_Subject',
    'X-Jwt-Auth',
  ],
  ...['X-Token', 'X_Token', 'Cookie', 'Authorization', 'Sec-WebSocket-Protocol', 'Sec_WebSocket_Protocol'],
  ...['X-Http-Method-Override', 'X-Rewrite-Url', 'X_Original_Uri', 'X-Original-Host', 'X-Host'],
  ...[
    'X-Forwarded-Port',
    'X_Forwarded_For',
    'Forwarded',
    'Via',
    'X-Request-Id',
    'Transfer_Encoding',
    'Accept',
    'X-Other',
  ],
);
const value = fc.constantFrom('admin', 'a', 'theme=dark; session=x', 'jwt.x, chat', 'Basic YTpi');
const tokenHeader = fc.constantFrom(
  (token: string) => ['Authorization', `Bearer ${token}`],
  (token: string) => ['X-Token', token],
  (token: string) => ['Cookie', `a=b; session=${token}; c=d`],
  (token: string) => ['Upgrade', 'websocket', 'Sec-WebSocket-Protocol', `chat, jwt.${token}`],
  () => [],
);
const target = fc.constantFrom(
  ...[
    '/x',
    '/public/x',
    '/open/x',
    '/normal/a/../b',
    '/normal/%2e%2e/b',
    '/read/x',
    '/a%2fb',
    '/a//b',
    '/x?',
    '/x?a=1',
  ],
);

const request = fc
  .record({
    tenant: fc.constantFrom(...tenants),
    of: fc.constantFrom(...tenants),
    target,
    query: fc.boolean(),
    method: fc.constantFrom('GET', 'POST', 'OPTIONS'),
    header: tokenHeader,
    others: fc.array(fc.tuple(name, value), { maxLength: 3 }),
  })
  .map(({ tenant, of, target, query, method, header, others }): ClientRequest => {
    const token = tokens[of] as string;
    const path = `/${tenant}${target}`;
    return {
      method,
      target: query ? `${path}${path.includes('?') ? '&' : '?'}jwt=${token}` : path,
      headers: ['Host', 'app.example', ...header(token), ...others.flat()],
      scheme: 'https',
      ip: '203.0.113.9',
    };
  });

describe.each(frontNames)('%s', (front) => {
  const emulated = emulatedFronts[front];

  test('forwards what decide allows, header for header, or refuses', async () => {
    const { gate } = await gateOf();
    let passed = 0;
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(request, async (client) => {
        const raw = {
          method: emulated.method(client),
          target: emulated.target(client),
          httpVersion: '1.1',
          headers: questionHeaders(emulated, client),
        };
        const { answer } = await judgeQuestion({ raw, peer: '127.0.0.1', front }, gate);
        if (answer.status !== 200) {
          expect(answer.status).toBeGreaterThanOrEqual(400);
          return;
        }
        passed++;
        const head: RequestHead = { ...client, id: 'same', httpVersion: '1.1', peer: '127.0.0.1' };
        const decision = await gate.decide(head, { read: async () => ({ kind: 'read', bytes: new Uint8Array() }) });
        if (decision.kind !== 'allowed') throw new Error(`the proxy would not let it through: ${decision.kind}`);
        expect(decision.target).toBe(client.target);
        const sent = headersForwarded(front, client, answer, gate.verdictNames);
        expect(judged(sent)).toEqual(judged(decision.headers));
        if (judged(sent).join() !== judged(client.headers).join()) changed++;
      }),
      { numRuns: 3_000 },
    );
    expect(passed).toBeGreaterThan(100);
    expect(changed).toBeGreaterThan(50);
  });
});

/** What jwtgate has a say in, sorted by name; several of one name in their order. */
function judged(headers: readonly string[]): string[] {
  return pairs(headers)
    .filter(([name]) => !isEachProxysOwn(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .sort();
}
