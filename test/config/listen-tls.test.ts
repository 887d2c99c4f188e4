import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { newAuthority } from '../support/certificates.ts';
import { configFiles, loadSound, problemsOf } from '../support/config-files.ts';

const authority = newAuthority('a CA');
const inner = authority.issueAuthority('an inner CA');
const server = inner.issue({ name: 'gate.example', alternativeNames: ['gate.example'] });
const chain = server.cert + inner.ca;

const config = (tls: string) =>
  `listen: {address: 127.0.0.1:8443, tls: {${tls}}}\nupstream: http://127.0.0.1\ntenants: {a: {secret: {env: STRONG}}}\n`;
const env = { STRONG: 'an-environment-secret-of-32-bytes', KEY: server.key.replaceAll('\n', '\\n'), EMPTY: '' };
const pems = { 'cert.pem': chain, 'key.pem': server.key, 'ca.pem': authority.ca };

const problems = (tls: string, files: Record<string, unknown> = {}) =>
  problemsOf({ 'config.yaml': config(tls), ...pems, ...files } as Record<string, string>, env);

async function settingsOf(tls: string) {
  const { settings } = await loadSound({ 'config.yaml': config(tls), ...pems }, env);
  return settings;
}

describe('what is read', () => {
  test.for([
    ['paths', 'cert: cert.pem, key: key.pem'],
    ['objects', 'cert: {file: cert.pem}, key: {file: key.pem}'],
    ['an environment variable, with its line breaks written as \\n', 'cert: cert.pem, key: {env: KEY}'],
    ['PEM text', `cert: ${JSON.stringify(chain)}, key: ${JSON.stringify(server.key)}`],
  ])('certificate and key by %s', async ([, tls]) => {
    const settings = await settingsOf(tls as string);
    expect(settings.listen).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 8443 });
    expect(settings.tls).toMatchObject({ cert: chain, clientCa: undefined, minVersion: 'TLSv1.2' });
    expect(settings.tls?.key.trim()).toBe(server.key.trim());
  });

  test('a client CA makes certificates required, unless they are optional', async () => {
    const both = 'cert: cert.pem, key: key.pem, clientCa: ca.pem';
    expect((await settingsOf(both)).tls).toMatchObject({ clientCa: authority.ca, clientAuth: 'required' });
    const optional = await settingsOf(`${both}, clientAuth: optional`);
    expect(optional.tls).toMatchObject({ clientAuth: 'optional' });
    expect(optional.tls?.trustId).not.toBe((await settingsOf(both)).tls?.trustId);
  });

  test.for([
    ['', { maxStreams: 100 }],
    ['http2: true\n', { maxStreams: 100 }],
    ['http2: {maxStreams: 7}\n', { maxStreams: 7 }],
    ['http2: false\n', undefined],
  ] as const)('HTTP/2 by %j', async ([line, http2]) => {
    const text = `${line}${config('cert: cert.pem, key: key.pem')}`;
    const { settings } = await loadSound({ 'config.yaml': text, ...pems }, env);
    expect(settings.tls?.http2).toEqual(http2);
  });

  test('HTTP/2 without TLS is warned of', async () => {
    const text = `http2: true\n${config('').replace(/\{address: (\S+), tls: \{\}\}/, '$1')}`;
    expect(await problemsOf({ 'config.yaml': text }, env)).toEqual(['1:8 http2: is spoken over TLS alone']);
  });

  test('an address alone speaks plain HTTP', async () => {
    const text = config('').replace(/\{address: (\S+), tls: \{\}\}/, '$1');
    expect((await loadSound({ 'config.yaml': text }, env)).settings.tls).toBeUndefined();
  });

  test('the private key is shown by nothing', async () => {
    const loaded = await loadSound(
      { 'config.yaml': config(`cert: cert.pem, key: ${JSON.stringify(server.key)}`), ...pems },
      env,
    );
    const secret = server.key.split('\n')[1] as string;
    expect(inspect(loaded, { depth: null, maxStringLength: null })).not.toContain(secret);
    expect(JSON.stringify(loaded)).not.toContain(secret);
  });
});

describe('what is refused', () => {
  const other = authority.issue({ name: 'x' });
  const encrypted = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  }).privateKey;

  test.for<[string, string, Record<string, string>, string[]]>([
    [
      'no key',
      'cert: cert.pem',
      {},
      ['1:35 listen.tls.key: must be the path of a PEM file, {file: PATH}, {env: NAME}, or PEM text'],
    ],
    [
      'files that are not there',
      'cert: a.pem, key: b.pem, clientCa: c.pem',
      {},
      [
        '1:47 listen.tls.cert: a.pem does not exist',
        '1:59 listen.tls.key: the file does not exist',
        '1:76 listen.tls.clientCa: c.pem does not exist',
      ],
    ],
    [
      'another key',
      'cert: cert.pem, key: key.pem',
      { 'key.pem': other.key },
      ['1:47 listen.tls.cert: is not the certificate of this private key'],
    ],
    [
      'a key that is encrypted',
      'cert: cert.pem, key: key.pem',
      { 'key.pem': encrypted },
      ['1:47 listen.tls.cert: the private key is encrypted, and there is nobody to ask'],
    ],
    ['no PEM', 'cert: cert.pem, key: key.pem', { 'cert.pem': 'x' }, ['1:47 listen.tls.cert: holds no certificate']],
    [
      'a certificate where the key belongs',
      'cert: cert.pem, key: cert.pem',
      {},
      ['1:47 listen.tls.cert: or its key holds no PEM that can be used for TLS'],
    ],
    [
      'a chain that begins with the CA',
      'cert: cert.pem, key: key.pem',
      { 'cert.pem': inner.ca + server.cert },
      ['1:47 listen.tls.cert: the certificate of this private key stands at place 2, not first'],
    ],
    [
      'an empty variable',
      'cert: cert.pem, key: {env: EMPTY}',
      {},
      ['1:68 listen.tls.key.env: the environment variable EMPTY is empty'],
    ],
    [
      'client settings without a CA',
      'cert: cert.pem, key: key.pem, clientAuth: optional',
      {},
      ['1:83 listen.tls.clientAuth: goes with clientCa only'],
    ],
    [
      'a revocation list that is none',
      'cert: cert.pem, key: key.pem, clientCa: ca.pem, clientCrl: ca.pem',
      {},
      ['1:100 listen.tls.clientCrl: holds no revocation list that can be read'],
    ],
    [
      'an old version',
      'cert: cert.pem, key: key.pem, minVersion: TLSv1.1',
      {},
      ['1:83 listen.tls.minVersion: must be TLSv1.2 or TLSv1.3'],
    ],
    ['a mistyped key', 'cert: cert.pem, key: key.pem, clientCA: ca.pem', {}, ['1:71 listen.tls.clientCA: unknown key']],
  ])('%s', async ([, tls, files, expected]) => {
    expect(await problems(tls, files)).toEqual(expected);
  });
});

describe('what is warned of', () => {
  const day = 86_400_000;
  const old = inner.issue({ name: 'x', notBeforeMs: Date.now() - 9 * day, notAfterMs: Date.now() - day });
  const early = inner.issue({ name: 'x', notBeforeMs: Date.now() + day, notAfterMs: Date.now() + 9 * day });

  test.for([
    ['a certificate that has expired', old, /^1:47 listen\.tls\.cert: holds a certificate that expired on 20/],
    ['one that is not valid yet', early, /^1:47 listen\.tls\.cert: holds a certificate that is not valid before 20/],
  ] as const)('%s', async ([, { cert, key }, expected]) => {
    const said = await problems('cert: cert.pem, key: key.pem', { 'cert.pem': cert, 'key.pem': key });
    expect(said).toEqual([expect.stringMatching(expected)]);
  });

  test('giving up a valid certificate for one that is not is refused', async () => {
    const served = (await settingsOf('cert: cert.pem, key: key.pem')).tls;
    const files = { 'config.yaml': config('cert: cert.pem, key: key.pem'), 'cert.pem': old.cert, 'key.pem': old.key };
    const deps = { ...configFiles(files, env), servedTls: served };
    const loaded = await loadConfig('config.yaml', deps);
    expect(loaded.ok).toBe(false);
    if (!loaded.ok) expect(loaded.problems[0]?.hint).toBe('the one that is served now is valid: it stays');
  });

  test('a key file that everyone can read', async () => {
    const readable = { bytes: Buffer.from(server.key), mode: 0o644 };
    expect(await problems('cert: cert.pem, key: key.pem', { 'key.pem': readable })).toEqual([
      '1:62 listen.tls.key: every user of this machine can read the file',
    ]);
  });

  test('a private key in the config', async () => {
    const said = await problems(`cert: cert.pem, key: ${JSON.stringify(server.key)}`);
    expect(said).toEqual(['1:62 listen.tls.key: the private key stands in the config']);
  });

  test('a chain with a link missing', async () => {
    const said = await problems('cert: cert.pem, key: key.pem', { 'cert.pem': server.cert + authority.ca });
    expect(said).toEqual([
      '1:47 listen.tls.cert: certificate 2 did not certify the one before it: clients may not find the chain',
    ]);
  });
});

describe("what a tenant reads of its clients' certificates", () => {
  const tenant = [
    'match: {client: {commonName: device-1, uri: null}}',
    'headers: {X-Client: "${client.subject}"}',
    'bind: {cnf.x5t#S256: client.thumbprint}',
    'routes: [{path: /a, bind: {sub: {from: client.dns, optional: true}}}]',
  ];
  const withTenant = (tls: string) =>
    `${config(tls).replace(/tenants: .*/, '')}tenants:\n  a:\n    secret: {env: STRONG}\n${tenant.map((line) => `    ${line}\n`).join('')}`;

  test('is compiled where clients are asked for them', async () => {
    const text = withTenant('cert: cert.pem, key: key.pem, clientCa: ca.pem');
    const { policy } = await loadSound({ 'config.yaml': text, ...pems }, env);
    expect(policy.reservedNames.has('x-client')).toBe(true);
    expect(policy.tenants.get('a')?.binds[0]?.text).toBe('cnf.x5t#S256: client.thumbprint');
  });

  test('is refused where nobody is', async () => {
    const said = await problemsOf({ 'config.yaml': withTenant('cert: cert.pem, key: key.pem'), ...pems }, env);
    const message = "reads the client's certificate, and clients are not asked for one";
    expect(said).toEqual([
      `7:21 tenants.a.match.client: ${message}`,
      `8:25 tenants.a.headers.X-Client: ${message}`,
      `9:26 tenants.a.bind["cnf.x5t#S256"]: ${message}`,
      `10:37 tenants.a.routes[0].bind.sub: ${message}`,
    ]);
  });

  test.for([
    ['headers: {X-A: "${client.name}"}', '${client.name}: a certificate has subject, commonName, issuer'],
    ['bind: {sub: client.cn}', 'client.cn: a certificate has subject, commonName, issuer'],
    ['match: {client: {commonname: x}}', 'unknown key'],
    ['match: {client: {}}', 'must name at least one'],
  ] as const)('%s is a problem', async ([line, problem]) => {
    const text = `${config('cert: cert.pem, key: key.pem, clientCa: ca.pem').replace(/tenants: .*/, '')}tenants: {a: {secret: {env: STRONG}, ${line}}}\n`;
    const said = await problemsOf({ 'config.yaml': text, ...pems }, env);
    expect(said).toEqual([expect.stringContaining(problem)]);
  });
});
