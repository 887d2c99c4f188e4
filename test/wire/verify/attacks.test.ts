import { describe, expect, test } from 'vitest';
import type { FrontName } from '../../../src/gate/fronts.ts';
import { judgeQuestion } from '../../../src/wire/verify/judge-question.ts';
import { createVerifyListener } from '../../../src/wire/verify/listener.ts';
import { listedForRemoval, valuesOf } from '../../support/emulated-fronts.ts';
import { rawRequest } from '../../support/raw-client.ts';
import { tokenOf } from '../../support/running-gate.ts';
import { newFolder } from '../../support/scratch-folder.ts';
import { until } from '../../support/until.ts';
import { gateOf, startVerify, tenantsText } from './verify-rig.ts';

// What a client can do to a front's question: whatever is not told beyond doubt is refused.

const bearer = (tenant: string, claims = {}) => `Authorization: Bearer ${tokenOf(tenant, claims)}`;

/** A question as each front sends it, about GET /acme/x of https://app.example. */
const questions: Readonly<Record<FrontName, readonly string[]>> = {
  nginx: [
    'GET /verify HTTP/1.0',
    'Host: app.example',
    'X-Original-Method: GET',
    'X-Original-URI: /acme/x',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 203.0.113.9',
    'Connection: close',
  ],
  'ingress-nginx': [
    'GET /verify HTTP/1.1',
    'Host: jwtgate',
    'X-Original-URL: https://app.example/acme/x',
    'X-Original-Method: GET',
    'X-Forwarded-For: 203.0.113.9',
  ],
  traefik: [
    'GET /verify HTTP/1.1',
    'Host: jwtgate:9903',
    'X-Forwarded-Method: GET',
    'X-Forwarded-Uri: /acme/x',
    'X-Forwarded-Host: app.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 203.0.113.9',
  ],
  caddy: [
    'GET /verify HTTP/1.1',
    'Host: jwtgate:9903',
    'X-Forwarded-Method: GET',
    'X-Forwarded-Uri: /acme/x',
    'X-Forwarded-Host: app.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 203.0.113.9',
  ],
  haproxy: [
    'GET /verify HTTP/1.1',
    'Host: jwtgate:9903',
    'X-Forwarded-Method: GET',
    'X-Forwarded-Uri: /acme/x',
    'X-Forwarded-Host: app.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 203.0.113.9',
  ],
  envoy: [
    'GET /verify/acme/x HTTP/1.1',
    'Host: app.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 203.0.113.9',
    'Content-Length: 0',
  ],
};
const fronts = Object.keys(questions) as FrontName[];
const forbidding: ReadonlySet<FrontName> = new Set(['nginx', 'ingress-nginx']);
const badRequest = (front: FrontName) => (forbidding.has(front) ? 403 : 400);

describe.each(fronts)('%s', (front) => {
  const question = questions[front];
  // An old Caddy must be told of everything.
  const lacking = front === 'caddy' ? '' : undefined;

  test('a good token is 200 with the identity headers; the log has the original request and client', async () => {
    const rig = await startVerify(front);
    const answer = await rig.ask(...question, bearer('acme', { sub: 'alice' }));
    expect(answer.status).toBe(200);
    expect(answer.headers['x-user-id']).toBe('alice');
    expect(answer.headers['x-user-email']).toBe(lacking);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.body).toBe('');
    await until('an outcome', () => rig.outcomes.length === 1);
    const [{ head, lane, status, end } = {}] = rig.outcomes;
    expect({ lane, status, end }).toEqual({ lane: 'verify', status: 200, end: 'complete' });
    expect(head).toMatchObject({ method: 'GET', target: '/acme/x', scheme: 'https', peer: '127.0.0.1' });
    expect(valuesOf(head?.headers ?? [], 'host')).toEqual(['app.example']);
    expect(valuesOf(head?.headers ?? [], 'x-forwarded-for')).toEqual(['203.0.113.9']);
  });

  test('no token is 401 with the challenge that the client should see', async () => {
    const rig = await startVerify(front);
    const answer = await rig.ask(...question);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="jwtgate"');
    expect(JSON.parse(answer.body)).toMatchObject({ reason: 'tokenMissing' });
  });

  test('every part that is not told is a refusal, so that a forgotten line is noticed and no client can fill it in', async () => {
    const rig = await startVerify(front);
    for (const [index, line] of question.entries()) {
      if (index === 0 || /^(connection|content-length):/i.test(line)) continue;
      // The question's own host says nothing where another header does.
      if (/^host:/i.test(line) && !['nginx', 'envoy'].includes(front)) continue;
      const without = question.filter((each) => each !== line);
      // HTTP/1.0 allows a request without Host.
      without[0] = (without[0] as string).replace('HTTP/1.1', 'HTTP/1.0');
      expect((await rig.ask(...without, bearer('acme'))).status, `without ${line}`).toBe(badRequest(front));
      const emptied = question.map((each) => (each === line ? each.replace(/: .*/, ': ') : each));
      expect((await rig.ask(...emptied, bearer('acme'))).status, `with an empty ${line}`).toBe(badRequest(front));
    }
  });

  test('a header of another way of telling, sent by a client past its front, is a conflict', async () => {
    const rig = await startVerify(front);
    const own = question.map((line) => line.split(':', 1)[0]?.toLowerCase());
    for (const name of [
      'X-Original-URI',
      'X-Original-URL',
      'X-Original-Method',
      'X-Forwarded-Uri',
      'X-Forwarded-Method',
    ]) {
      if (own.includes(name.toLowerCase())) continue;
      const answer = await rig.ask(...question, bearer('acme'), `${name}: /acme/public/x`);
      expect(answer.status, name).toBe(badRequest(front));
    }
  });

  test('a part that stands twice, the second by a client, is refused', async () => {
    const rig = await startVerify(front);
    for (const line of question.slice(1)) {
      // X-Forwarded-For is a list, and decides nothing.
      if (/^(connection|content-length|x-forwarded-for):/i.test(line)) continue;
      if (/^host:/i.test(line) && !['nginx', 'envoy'].includes(front)) continue;
      const twice = await rig.ask(...question, bearer('acme'), line.replace('/acme/x', '/acme/public/x'));
      expect([400, 403], line).toContain(twice.status);
    }
  });

  test('other spellings of what tells of the request are no way in', async () => {
    const rig = await startVerify(front);
    for (const name of ['X_Original_URI', 'X_Forwarded_Uri', 'X.Original.Method', 'X_Forwarded_Method']) {
      const answer = await rig.ask(...question, bearer('acme'), `${name}: /acme/public/x`);
      if (answer.status === 200) {
        expect(listedForRemoval(answer.rawHeaders), name).toContain(name.toLowerCase());
        expect(rig.outcomes.at(-1)?.head?.target).toBe('/acme/x');
      } else expect(answer.status, name).toBe(badRequest(front));
    }
  });

  test('a method or target override, which the front would pass on, is refused or listed for removal', async () => {
    const rig = await startVerify(front);
    for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Rewrite-Url', 'X-Host']) {
      const answer = await rig.ask(...question, bearer('acme'), `${name}: DELETE`);
      if (answer.status === 200) expect(listedForRemoval(answer.rawHeaders), name).toContain(name.toLowerCase());
      else expect(answer.status, name).toBe(badRequest(front));
    }
  });

  test('an identity header that the client sent is overwritten, and in another spelling refused or removed', async () => {
    const rig = await startVerify(front);
    const exact = await rig.ask(...question, bearer('acme', { sub: 'alice' }), 'X-User-Id: admin', 'X-User-Email: a@b');
    expect(exact.status).toBe(200);
    expect(exact.headers['x-user-id']).toBe('alice');
    expect(exact.headers['x-user-email']).toBe(lacking);
    const removing = ['envoy', 'haproxy'].includes(front);
    if (removing) expect(listedForRemoval(exact.rawHeaders)).toContain('x-user-email');
    for (const name of ['X_User_Id', 'X.User.Id', 'x-user_id', 'X!Jwt!Tenant']) {
      const answer = await rig.ask(...question, bearer('acme'), `${name}: admin`);
      if (removing) expect(listedForRemoval(answer.rawHeaders), name).toContain(name.toLowerCase());
      else expect(answer.status, name).toBe(badRequest(front));
    }
  });

  test('a path that the front may read otherwise is refused, also where the proxy would normalise it', async () => {
    const rig = await startVerify(front);
    const paths = [
      '/acme/public/../x',
      '/acme/public/%2e%2e/x',
      '/acme/public%2fx',
      '/acme/public//x',
      '/acme/public\\x',
    ];
    for (const path of [
      ...paths,
      '/acme/normal/../x',
      '/acme/public/%252e%252e/x',
      '/acme/public/;/x',
      '/acme/%c0%ae/x',
    ]) {
      const asked = question.map((line) => line.replace('/acme/x', path));
      expect((await rig.ask(...asked, bearer('acme'))).status, path).toBe(badRequest(front));
    }
  });

  test('a target that is no origin-form (a URL, an asterisk, a fragment, raw bytes, a line break) is refused', async () => {
    const rig = await startVerify(front);
    for (const target of [
      'http://evil.example/acme/public/x',
      '*',
      'acme/public/x',
      '/acme/public/x#/../x',
      '/acme/\xff',
    ]) {
      const asked = question.map((line) => line.replace('/acme/x', target));
      const { status } = await rig.ask(...asked, bearer('acme'));
      // Behind a prefix some of these are another path, another host, or nothing HTTP knows: never what was asked for.
      expect([400, 401, 403, 404], target).toContain(status);
    }
  });

  test('a rule that reads the body refuses, whatever the question says of a body', async () => {
    const rig = await startVerify(front);
    for (const more of [[], ['Content-Type: application/json']]) {
      const asked = question.map((line) => line.replace('/acme/x', '/bodied/x').replace('GET /b', 'POST /b'));
      const answer = await rig.ask(...asked, ...more, bearer('bodied'));
      expect(answer.status).toBe(badRequest(front));
    }
    await until('outcomes', () => rig.outcomes.length === 2);
    for (const { decision } of rig.outcomes) {
      expect(decision).toMatchObject({
        reason: 'requestRefused',
        detail: expect.stringMatching(/reads the body.*proxy/),
      });
    }
  });

  test('a question that brings a body is refused, and nothing behind it is taken for a question', async () => {
    const rig = await startVerify(front);
    const smuggled = `${question.join('\r\n')}\r\n${bearer('acme')}\r\n\r\n`;
    for (const framing of [`Content-Length: ${smuggled.length}`, 'Transfer-Encoding: chunked']) {
      const lines = question.filter((line) => !/^content-length/i.test(line)).map((line) => line.replace('1.0', '1.1'));
      const client = await rig.client();
      client.send(`${lines.join('\r\n')}\r\n${framing}\r\n${bearer('acme')}\r\n\r\n${smuggled}${smuggled}`);
      expect((await client.response()).status, framing).toBe(badRequest(front));
      expect(await client.closed()).toBe('end');
      expect(client.rest).toBe('');
    }
    expect(rig.outcomes.map(({ status }) => status)).toEqual([badRequest(front), badRequest(front)]);
  });

  test('an answer to a preflight is never a 2xx, which would let it through', async () => {
    const rig = await startVerify(front);
    const asked = question.map((line) =>
      line
        .replace('/acme/x', '/paged/x')
        .replace(/^GET (\/verify\/)/, 'OPTIONS $1')
        .replace(/Method: GET/, 'Method: OPTIONS'),
    );
    const answer = await rig.ask(...asked, 'Origin: https://app.example', 'Access-Control-Request-Method: GET');
    expect(answer.status).toBe(403);
  });

  test('a WebSocket handshake is judged as any request, and nothing is switched', async () => {
    const rig = await startVerify(front);
    const asked = question.map((line) => line.replace('/acme/x', '/socketed/x').replace(/^Connection: .*/, 'X-A: b'));
    asked[0] = (asked[0] as string).replace('1.0', '1.1');
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
    const bare = await rig.ask(...asked, ...upgrade, 'Sec-WebSocket-Version: 13');
    expect(bare.status).toBe(401);
    const offered = `Sec-WebSocket-Protocol: chat, jwt.${tokenOf('socketed')}`;
    const good = await rig.ask(...asked, ...upgrade, 'Sec-WebSocket-Version: 13', offered);
    expect(good.status).toBe(200);
    expect(good.headers['sec-websocket-protocol']).toBe('chat');
  });

  test('a token where no token is judged does not travel on', async () => {
    const rig = await startVerify(front);
    const asked = question.map((line) => line.replace('/acme/x', '/acme/public/x'));
    const answer = await rig.ask(...asked, 'Authorization: Bearer forged');
    expect(answer.status).toBe(200);
    expect(answer.headers.authorization).toBe(lacking);
    if (['envoy', 'haproxy'].includes(front)) expect(listedForRemoval(answer.rawHeaders)).toContain('authorization');
  });

  test('a token that should leave the cookie leaves it, one in the query is refused', async () => {
    const rig = await startVerify(front);
    const baked = question.map((line) => line.replace('/acme/x', '/baked/x'));
    const answer = await rig.ask(...baked, `Cookie: a=b; session=${tokenOf('baked')}; c=d`);
    expect(answer.headers.cookie).toBe('a=b; c=d');
    const asked = question.map((line) => line.replace('/acme/x', `/asked/x?jwt=${tokenOf('asked')}`));
    expect((await rig.ask(...asked)).status).toBe(badRequest(front));
  });

  test('in report mode what would be refused passes without a name', async () => {
    const rig = await startVerify(front);
    const asked = question.map((line) => line.replace('/acme/x', '/watched/x'));
    const answer = await rig.ask(...asked, 'X-Jwt-Subject: admin');
    expect(answer.status).toBe(200);
    expect(answer.headers['x-jwt-subject']).toBe(lacking);
    expect(rig.outcomes.at(-1)?.decision.facts.wouldRefuse).toBe('tokenMissing');
  });

  test('a peer that is not listed is refused, whatever it says', async () => {
    const rig = await startVerify(front, tenantsText.replace('[127.0.0.1, unix]', '[192.0.2.1, unix]'));
    const answer = await rig.ask(...question, bearer('acme'), 'X-Forwarded-For: 192.0.2.1');
    expect(answer.status).toBe(403);
    expect(rig.outcomes[0]?.decision).toMatchObject({ detail: expect.stringContaining('trustedProxies') });
  });

  test('a peer on a unix socket may ask where `unix` is listed, and not otherwise', async () => {
    for (const [listed, status] of [
      ['[unix]', 200],
      ['[127.0.0.1]', 403],
    ] as const) {
      const { gate } = await gateOf(tenantsText.replace('[127.0.0.1, unix]', listed));
      const path = `${newFolder()}/verify`;
      const listener = await createVerifyListener({ listen: { kind: 'unix', path }, front, gate: () => gate });
      const answer = await rawRequest({ path }, `${question.join('\r\n')}\r\n${bearer('acme')}\r\n\r\n`);
      expect(answer.status, listed).toBe(status);
      await listener.close({ drainMs: 0 });
    }
  });

  test('any other path than its own is no question', async () => {
    const rig = await startVerify(front);
    const beside =
      front === 'envoy' ? ['/', '/acme/x', '/verifyx/acme/x', '/verify?/acme/x'] : ['/', '/verify/', '/acme/x'];
    for (const path of beside) {
      const asked = [(question[0] as string).replace(/ \S+ /, ` ${path} `), ...question.slice(1)];
      expect((await rig.ask(...asked, bearer('acme'))).status, path).toBe(forbidding.has(front) ? 403 : 404);
    }
  });
});

test('nginx gets 401, 403 and 5xx alone; the others the reason’s own status', async () => {
  const two = (front: FrontName) => [...questions[front], bearer('acme'), bearer('acme')];
  expect((await (await startVerify('nginx')).ask(...two('nginx'))).status).toBe(403);
  expect((await (await startVerify('traefik')).ask(...two('traefik'))).status).toBe(400);
});

test('tenants are told apart by the original host, not by that of the question', async () => {
  const rig = await startVerify('traefik');
  const asked = questions.traefik.map((line) => line.replace('/acme/x', '/').replace('app.example', 'api.example'));
  expect((await rig.ask(...asked, bearer('hosted'))).status).toBe(200);
  const forged = questions.traefik.map((line) => line.replace('/acme/x', '/').replace('jwtgate:9903', 'api.example'));
  expect((await rig.ask(...forged, bearer('hosted'))).status).toBe(401);
});

test('a method is judged as it was told: POST does not pass for a route of GET', async () => {
  const rig = await startVerify('nginx');
  const read = questions.nginx.map((line) => line.replace('/acme/x', '/acme/read/x'));
  expect((await rig.ask(...read)).status).toBe(200);
  const post = read.map((line) => line.replace('Method: GET', 'Method: POST'));
  expect((await rig.ask(...post)).status).toBe(401);
  for (const method of ['TRACE', 'CONNECT', 'GET POST', 'GET,', '\u0000']) {
    const odd = read.map((line) => line.replace('Method: GET', `Method: ${method}`));
    expect((await rig.ask(...odd)).status, method).toBeGreaterThanOrEqual(400);
  }
});

test('several questions on one connection are answered in order, also when sent at once', async () => {
  const rig = await startVerify('traefik');
  const client = await rig.client();
  const good = `${questions.traefik.join('\r\n')}\r\n${bearer('acme')}\r\n\r\n`;
  const bad = `${questions.traefik.join('\r\n')}\r\n\r\n`;
  client.send(good + bad + good + bad);
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await client.response()).status);
  expect(statuses).toEqual([200, 401, 200, 401]);
});

test('garbage behind a question is answered 400 and closes; nothing of it is judged', async () => {
  const rig = await startVerify('traefik');
  const client = await rig.client();
  client.send(`${questions.traefik.join('\r\n')}\r\n\r\n`);
  expect((await client.response()).status).toBe(401);
  client.send('NOT HTTP\r\n\r\n');
  expect((await client.response()).status).toBe(400);
  await client.closed();
  await until('outcomes', () => rig.outcomes.length === 2);
});

test('a head over the limits is refused by the limits of the original request', async () => {
  const rig = await startVerify('traefik');
  const long = await rig.ask(...questions.traefik, bearer('acme'), `X-A: ${'a'.repeat(20_000)}`);
  expect(long.status).toBe(431);
  const many = await rig.ask(
    ...questions.traefik,
    bearer('acme'),
    ...Array.from({ length: 120 }, (_, i) => `X-${i}: a`),
  );
  expect(many.status).toBe(431);
  const huge = await rig.ask(...questions.traefik, bearer('acme'), `X-A: ${'a'.repeat(100_000)}`);
  expect([400, 431]).toContain(huge.status);
});

test('a refusal is never a 2xx or a redirect, whatever status it asks for', async () => {
  const { gate } = await gateOf();
  for (const front of fronts) {
    const [line = '', ...fields] = questions[front];
    const [method = '', target = ''] = line.split(' ');
    const headers = fields.flatMap((field) => field.split(/: (.*)/, 2));
    const raw = { method, target, httpVersion: '1.1', headers };
    for (const status of [200, 204, 302]) {
      const refused = { ...gate.refuse('tokenMissing', 'none'), status };
      const judged = await judgeQuestion({ raw, peer: '127.0.0.1', front }, { ...gate, decide: () => refused });
      expect(judged.answer.status, `${front} ${status}`).toBe(403);
    }
  }
});
