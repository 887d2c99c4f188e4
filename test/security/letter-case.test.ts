import { describe, expect, onTestFinished, test } from 'vitest';
import { rawRequest } from '../support/raw-client.ts';
import { secretOf, tokenOf } from '../support/running-gate.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { openDoor } from '../wire/lane-rig.ts';
import { gateOf } from '../wire/verify/verify-rig.ts';

// Go's encoding/json and ASP.NET take "Sub" for "sub", and the last of the two counts; Express, ASP.NET and IIS serve
// /ADMIN as /admin. What a rule was asked of must be what such an upstream reads.

const configText = (port: number) => `
upstream: http://127.0.0.1:${port}
tenants:
  acme:
    match: {path: /acme/**}
    secret: ${secretOf('acme')}
    algorithms: [HS256]
    routes:
      - {path: /acme/bound/**, bind: {sub: body./user/id}}
      - {path: /acme/loose/**, bind: {sub: {from: body./user/id, optional: true}}}
      - {path: /acme/ruled/**, rule: request.body.user.id == claims.sub}
      - {path: /acme/Reports/**, claims: {role: reader}}
      - {path: /acme/reports/**, methods: [POST], claims: {role: writer}}
      - {path: /acme/files/public/**, access: public}
      - {path: "/acme/{kind}/secret", claims: {role: admin}}
      - {path: /acme/files/**, access: optional}
`;

describe.each<'auto' | 'node'>(['auto', 'node'])('by the lane %s', (lane) => {
  const startRig = async () => {
    const upstream = await startRawUpstream();
    onTestFinished(() => upstream.close());
    const { gate } = await gateOf(configText(upstream.port));
    const { port } = await openDoor(gate, lane);
    return async (target: string, body = '', claims = {}) => {
      const fields = [`Authorization: Bearer ${tokenOf('acme', claims)}`, 'Content-Type: application/json'];
      const head = ['Host: gate.example', ...fields, `Content-Length: ${Buffer.byteLength(body)}`, '', ''].join('\r\n');
      const text = `POST ${target} HTTP/1.1\r\n${head}${Buffer.from(body).toString('latin1')}`;
      const { status } = await rawRequest({ port }, text);
      return { status, upstream: upstream.received };
    };
  };

  test.for([
    ['beside it', '{"user":{"id":"user-of-acme","ID":"admin"}}'],
    ['before it', '{"user":{"Id":"admin","id":"user-of-acme"}}'],
    ['further up', '{"user":{"id":"user-of-acme"},"USER":{"id":"admin"}}'],
    ['by the Kelvin sign', '{"user":{"id":"user-of-acme"},"k":1,"\u212a":2}'],
    ['to who ends a name at a NUL', '{"user":{"id":"user-of-acme","id\\u0000x":"admin"}}'],
    ['by the long s', '{"user":{"id":"user-of-acme"},"u\u017fer":{"id":"admin"}}'],
  ])('a member that a rule reads stands in other letters %s: refused', async ([, body]) => {
    const ask = await startRig();
    for (const path of ['/acme/bound/x', '/acme/loose/x', '/acme/ruled/x']) {
      expect(await ask(path, body)).toEqual({ status: 400, upstream: '' });
    }
  });

  test.for([
    '{"user":{"ID":"admin"}}',
    '{"user":{"id\\u0000":"admin"}}',
    '{"User":{"id":"admin"}}',
    '{"u\u017fer":{"id":"admin"}}',
  ])('a member in other letters alone is not one that is absent: %s', async (body) => {
    const ask = await startRig();
    expect(await ask('/acme/loose/x', body)).toEqual({ status: 403, upstream: '' });
  });

  test.for(['/acme/REPORTS/x', '/acme/files/Secret', '/acme/x/secreT', '/acme/x/%53ecret', '/acme/x/%C5%BFecret'])(
    'a path that fits a route in other letters alone gets around no route: %s',
    async (path) => {
      const ask = await startRig();
      expect(await ask(path, '{}')).toEqual({ status: 400, upstream: '' });
    },
  );

  test('two routes that differ in letter case alone are each meant so', async () => {
    const ask = await startRig();
    expect(await ask('/acme/reports/x', '{}', { role: 'writer' })).toMatchObject({ status: 200 });
    expect(await ask('/acme/reports/x', '{}', { role: 'reader' })).toMatchObject({ status: 403 });
    expect(await ask('/acme/REPORTS/x', '{}', { role: 'writer' })).toMatchObject({ status: 400 });
  });

  test('of two routes the first decides, and nothing is missed behind a public one', async () => {
    const ask = await startRig();
    const roles = { role: 'reader' };
    expect(await ask('/acme/Reports/x', '{}', roles)).toMatchObject({ status: 200 });
    expect(await ask('/acme/Reports/x', '{}', { role: 'writer' })).toMatchObject({ status: 403 });
    expect(await ask('/acme/files/Public/x', '{}')).toMatchObject({ status: 200 });
    expect(await ask('/acme/x/Secrets', '{}')).toMatchObject({ status: 200 });
  });

  test('one reading of a body goes on, and so does one without the member where that is optional', async () => {
    const ask = await startRig();
    for (const path of ['/acme/bound/x', '/acme/loose/x', '/acme/ruled/x']) {
      expect(await ask(path, '{"user":{"id":"user-of-acme"},"USERS":[{"Id":1},{"id":2}]}')).toMatchObject({
        status: 200,
      });
    }
    expect(await ask('/acme/loose/x', '{"account":1}')).toMatchObject({ status: 200 });
  });
});
