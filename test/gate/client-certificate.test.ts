import { describe, expect, test } from 'vitest';
import { type BindSource, compileBind } from '../../src/gate/bind.ts';
import type { ClientCertificate } from '../../src/gate/client-certificate.ts';
import { decide } from '../../src/gate/decide.ts';
import type { Allowed } from '../../src/gate/decision.ts';
import type { MatchAlternative } from '../../src/gate/recognise.ts';
import { identityHeader, secretOf, type TestTenant, testPolicy } from '../support/policy.ts';
import { mintHs256 } from '../support/tokens.ts';
import { keepingCache } from '../support/verdicts.ts';

const nowMs = 1_800_000_000_000;
const device: ClientCertificate = {
  subject: 'CN=device-1,O=Example',
  commonName: 'device-1',
  issuer: 'CN=a CA',
  serialNumber: '0A',
  fingerprint: 'ab'.repeat(32),
  thumbprint: 'q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s',
  dns: ['a.example', 'b.example'],
  uri: ['spiffe://example/device-1'],
  email: [],
  ip: [],
  notAfterMs: nowMs + 1_000,
};

interface Ask {
  readonly certificate?: ClientCertificate | undefined;
  readonly claims?: object;
  readonly headers?: readonly string[];
  readonly anonymous?: boolean;
}

function ask(tenants: Readonly<Record<string, TestTenant>>, ask: Ask = {}) {
  const { certificate, claims = {}, headers = [], anonymous = false } = ask;
  const [id = ''] = Object.keys(tenants);
  const raw = mintHs256(secretOf(id), { claims: { sub: 'joe', exp: nowMs / 1000 + 60, ...claims } });
  const token = anonymous ? [] : ['Authorization', `Bearer ${raw}`];
  const head = {
    id: 'r-1',
    method: 'GET',
    target: '/x',
    httpVersion: '1.1',
    headers: ['Host', 'gate.example', ...token, ...headers],
    scheme: 'https',
    peer: '192.0.2.7',
    clientCertificate: certificate,
  } as const;
  const verdicts = keepingCache({ entries: 100, bytes: 1_000_000 });
  const body = { read: async () => ({ kind: 'broken' }) as const };
  return decide(head, { policy: testPolicy(tenants), verdicts, nowMs, body });
}

function headersOf(decision: unknown): Record<string, string> {
  expect(decision).toMatchObject({ kind: 'allowed' });
  const { headers } = decision as Allowed;
  return Object.fromEntries(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1] as string]] : [])));
}

const identityHeaders = [
  identityHeader('X-Client', '${client.commonName}'),
  identityHeader('X-Client-Subject', '${client.subject}'),
  identityHeader('X-Client-Names', '${client.dns}'),
  identityHeader('X-Client-Mail', '${client.email}'),
];

describe('headers made of a certificate', () => {
  test('are sent where the client was verified; a field that it lacks sends none', () => {
    const sent = headersOf(ask({ a: { identityHeaders } }, { certificate: device }));
    expect(sent).toMatchObject({
      'X-Client': 'device-1',
      'X-Client-Subject': 'CN=device-1,O=Example',
      'X-Client-Names': 'a.example,b.example',
    });
    expect(sent).not.toHaveProperty('X-Client-Mail');
  });

  test.for(['X-Client', 'x-client', 'X_Client', 'X.Client-Subject'])(
    'without one, a client that sends %s itself is stripped of it',
    (name) => {
      const sent = headersOf(ask({ a: { identityHeaders } }, { headers: [name, 'device-1'] }));
      expect(Object.keys(sent).filter((one) => /client/i.test(one))).toEqual([]);
    },
  );

  test('what can stand in no header refuses the request', () => {
    const odd = { ...device, commonName: 'dévice' };
    expect(ask({ a: { identityHeaders } }, { certificate: odd })).toMatchObject({ reason: 'claimRefused' });
  });

  test.for(['Client-Cert', 'Client-Cert-Chain', 'X-SSL-Client-Verify', 'ssl_client_s_dn', 'X-Forwarded-Client-Cert'])(
    '%s, by which proxies tell of certificates, is not believed from anyone',
    (name) => {
      const sent = headersOf(ask({ a: {} }, { certificate: device, headers: [name, 'SUCCESS'] }));
      expect(Object.values(sent)).not.toContain('SUCCESS');
    },
  );
});

describe('a claim bound to a certificate', () => {
  const bound = (claim: string, from: BindSource) => {
    const rule = compileBind([claim.split('.')], from);
    if ('problem' in rule) throw new Error(rule.problem);
    return { a: { binds: [rule] } };
  };

  test.for<[string, object, string, boolean]>([
    ['its name', { sub: 'device-1' }, 'sub client.commonName', true],
    ['another name', { sub: 'device-2' }, 'sub client.commonName', false],
    ['its thumbprint (RFC 8705)', { cnf: { 'x5t#S256': device.thumbprint } }, 'cnf.x5t#S256 client.thumbprint', true],
    ['another thumbprint', { cnf: { 'x5t#S256': device.fingerprint } }, 'cnf.x5t#S256 client.thumbprint', false],
    ['no thumbprint', {}, 'cnf.x5t#S256 client.thumbprint', false],
    ['any of its host names', { host: 'b.example' }, 'host client.dns', true],
    ['a part of one', { host: 'b' }, 'host client.dns', false],
    ['a field that it lacks', { mail: '' }, 'mail client.email', false],
  ])('%s', ([, claims, text, holds]) => {
    const [claim = '', from = ''] = text.split(' ');
    const decision = ask(bound(claim, from), { certificate: device, claims });
    expect(decision).toMatchObject(holds ? { kind: 'allowed' } : { reason: 'bindMismatch' });
  });

  test('holds for nobody without a certificate, unless it is optional', () => {
    const claims = { sub: 'device-1' };
    expect(ask(bound('sub', 'client.commonName'), { claims })).toMatchObject({ reason: 'bindMismatch' });
    const optional = bound('sub', { from: 'client.commonName', optional: true });
    expect(ask(optional, { claims })).toMatchObject({ kind: 'allowed' });
    expect(ask(optional, { claims, certificate: { ...device, commonName: 'x' } })).toMatchObject({ kind: 'refused' });
  });

  test('a field that no certificate has is a problem', () => {
    expect(compileBind([['sub']], 'client.name')).toHaveProperty('problem');
  });
});

describe('a tenant recognised by a certificate', () => {
  const tenants = (client: MatchAlternative['client']): Record<string, TestTenant> => ({
    a: { match: [{ client }] },
    other: { match: [{ host: 'other.example' }] },
  });

  test.for<[string, MatchAlternative['client'], ClientCertificate | undefined, boolean]>([
    ['its name', { commonName: 'device-1' }, device, true],
    ['another name', { commonName: 'device-2' }, device, false],
    ['its one URI', { uri: 'spiffe://example/device-1' }, device, true],
    ['one of several host names', { dns: 'a.example' }, device, false],
    ['several fields', { commonName: 'device-1', issuer: 'CN=a CA' }, device, true],
    ['several fields, of which one differs', { commonName: 'device-1', issuer: 'CN=b CA' }, device, false],
    ['no certificate', { commonName: 'device-1' }, undefined, false],
    ['the absence of one', { fingerprint: null }, undefined, true],
    ['the absence of one that is there', { fingerprint: null }, device, false],
  ])('%s', ([, client, certificate, recognised]) => {
    const decision = ask(tenants(client), { certificate });
    expect(decision).toMatchObject(recognised ? { kind: 'allowed' } : { reason: 'tenantUnknown' });
  });

  test('a header that says so counts for nothing', () => {
    const decision = ask(tenants({ commonName: 'device-1' }), { headers: ['Client-Cert', 'device-1', 'client', '1'] });
    expect(decision).toMatchObject({ reason: 'tenantUnknown' });
  });
});
