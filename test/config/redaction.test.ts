import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readEffectiveConfig } from '../../src/config/effective-config.ts';
import { shownValue } from '../../src/config/effective-tree.ts';
import { formatProblems, problemsToJson } from '../../src/config/format-problems.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Secret } from '../../src/config/secret.ts';
import { testCertificates } from '../support/certificates.ts';
import { configFiles, loadSound } from '../support/config-files.ts';

const strong = 'hunter1-hunter1-hunter1-hunter1-hunter1';

test('a Secret shows itself to nobody who does not ask', () => {
  const secret = new Secret(strong);
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret, { depth: null, showHidden: true }),
    inspect({ deep: [{ secret }] }, { depth: null }),
    Object.keys(secret).join(),
    JSON.stringify(structuredCloneOrNothing(secret)),
  ];
  for (const text of shown) expect(text).not.toContain('hunter');
  expect(secret.reveal()).toBe(strong);
});

function structuredCloneOrNothing(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return undefined;
  }
}

/** Every place of a config where a secret can stand. */
const { client } = testCertificates();
const config = {
  upstream: { url: 'https://127.0.0.1', tls: { cert: client.cert, key: client.key } },
  tenants: {
    plain: { secret: strong, match: { kid: 'a' } },
    object: { secret: { value: strong }, match: { kid: 'b' } },
    encoded: { secret: { value: Buffer.from(strong).toString('hex'), encoding: 'hex' }, match: { kid: 'c' } },
    list: {
      secret: [
        { value: strong, kid: 'a' },
        { env: 'STRONG', kid: 'b' },
      ],
      match: { host: 'd.example' },
    },
    interpolated: { secret: '${STRONG}', match: { kid: 'e' } },
    file: { secret: { file: 'a.secret' }, match: { kid: 'f' } },
    jwk: {
      keys: { kty: 'oct', k: Buffer.from(strong).toString('base64url'), kid: 'a' },
      algorithms: ['HS256'],
      match: { kid: 'g' },
    },
    set: {
      jwks: { keys: [{ kty: 'oct', k: Buffer.from(strong).toString('base64url') }] },
      algorithms: ['HS256'],
      audience: 'any',
      match: { kid: 'h' },
    },
    fetched: {
      jwks: { url: 'https://127.0.0.1/keys', headers: { Authorization: `Bearer ${strong}` } },
      algorithms: ['RS256'],
      audience: 'any',
      match: { kid: 'i' },
    },
    signing: {
      secret: { env: 'STRONG' },
      match: { kid: 'k' },
      upstream: {
        url: 'http://127.0.0.1',
        sign: {
          algorithm: 'HS256',
          secret: strong,
          grant: { tokenEndpoint: 'https://127.0.0.1', params: { client_secret: strong } },
        },
      },
      provision: {
        url: 'https://127.0.0.1',
        headers: { 'X-Key': strong },
        sign: { algorithm: 'ES256', privateKey: client.key },
      },
    },
    basic: { secret: { env: 'STRONG' }, basic: { user: 'a', password: strong }, match: { kid: 'j' } },
  },
};
const files = { 'config.yaml': JSON.stringify(config), 'a.secret': strong };
const env = { STRONG: strong };
const forms = [strong, Buffer.from(strong).toString('hex'), Buffer.from(strong).toString('base64url'), client.key];
const keyBody = client.key.split('\n')[1] as string;

function expectClean(text: string): void {
  for (const form of [...forms, keyBody, 'hunter']) expect(text.includes(form)).toBe(false);
}

describe('no secret is shown', () => {
  test('by a loaded config, however deep one looks into it', async () => {
    const loaded = await loadSound(files, env);
    expect(loaded.policy.tenants.get('plain')?.upstream.tls?.key).toBe(client.key);
    expectClean(inspect(loaded, { depth: null, maxArrayLength: null, maxStringLength: null }));
    expectClean(JSON.stringify([loaded, [...loaded.policy.tenants.values()]]));
  });

  test('by the effective config', async () => {
    const read = await readEffectiveConfig('config.yaml', configFiles(files, env), { withContents: true });
    if (!read.ok) throw new Error('it has problems');
    expectClean(inspect(read, { depth: null, maxArrayLength: null, maxStringLength: null }));
    const tenants = Object.fromEntries([...read.tenants].map(([id, tenant]) => [id, shownValue(tenant)]));
    const shown = { config: { ...(shownValue(read.globals) as object), tenants } };
    expectClean(JSON.stringify(shown));
    expect(shown).toMatchObject({
      config: {
        upstream: { url: 'https://127.0.0.1', tls: { key: '[redacted]' } },
        tenants: {
          plain: { secret: '[redacted]', match: { kid: 'a' } },
          list: {
            secret: [
              { value: '[redacted]', kid: 'a' },
              { env: 'STRONG', kid: 'b' },
            ],
          },
          interpolated: { secret: '[redacted]' },
          file: { secret: { file: 'a.secret' } },
          fetched: { jwks: { url: 'https://127.0.0.1/keys', headers: { Authorization: '[redacted]' } } },
        },
      },
    });
  });

  test('by a URL of the effective config, in which providers want API keys', async () => {
    const jwks = { url: 'https://id.example/keys?v=1&key=hunter2' };
    const text = JSON.stringify({
      upstream: 'http://a',
      tenants: { acme: { jwks, algorithms: ['RS256'], audience: 'a' } },
    });
    const read = await readEffectiveConfig('config.yaml', configFiles({ 'config.yaml': text }));
    if (!read.ok) throw new Error('it has problems');
    const [acme] = [...read.tenants.values()].map((tenant) => shownValue(tenant));
    expect(acme).toMatchObject({ jwks: { url: 'https://id.example/keys?[redacted]' } });
  });

  test('by a problem, wherever a key is mistyped', async () => {
    const text = JSON.stringify(config);
    const keys = [...text.matchAll(/"([a-zA-Z]+)":/g)];
    expect(keys.length).toBeGreaterThan(50);
    for (const [match, key] of keys.map((found) => [found, found[1] as string] as const)) {
      const mistyped = `${text.slice(0, match.index)}"${key.slice(0, -1)}X":${text.slice(match.index + match[0].length)}`;
      await expectCleanProblems(mistyped);
    }
  });

  test('by a problem, wherever the text breaks off, or a character is missing or one too many', async () => {
    const pretty = JSON.stringify(config, null, 1).replaceAll(client.cert.replaceAll('\n', '\\n'), 'CERT');
    await fc.assert(
      fc.asyncProperty(
        fc.nat(pretty.length - 1),
        fc.constantFrom('cut', 'drop', ...'"\'{}[],:#&*!|>%@`\t\n- '),
        async (at, what) => {
          const tail = what === 'cut' ? '' : pretty.slice(what === 'drop' ? at + 1 : at);
          await expectCleanProblems(`${pretty.slice(0, at)}${what === 'cut' || what === 'drop' ? '' : what}${tail}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('by a problem in block style, wherever a line is broken', async () => {
    const lines = [
      'upstream: http://127.0.0.1:3000',
      'tenants:',
      '  acme:',
      '    secret: hunter2-hunter2-hunter2-hunter2',
      '  globex:',
      '    secret:',
      '      value: "hunter3 hunter3',
      '        hunter3"',
      '      encoding: utf8',
      '  initech:',
      '    keys:',
      '      - |',
      '        -----BEGIN PRIVATE KEY-----',
      '        hunter4hunter4hunter4',
      '        -----END PRIVATE KEY-----',
      '    algorithms: [RS256] # was hunter5',
    ];
    const edits = [
      (line: string) => ` ${line}`,
      (line: string) => line.slice(1),
      (line: string) => line.trimStart(),
      (line: string) => `${line} : x`,
      (line: string) => `${line}"`,
      (line: string) => `${line}\n      - `,
      (line: string) => line.replace(':', ''),
      (line: string) => line.replace(/(\w+):/, '$1x:'),
      (line: string) => line.replace(/^ +/, '\t'),
      () => '',
    ];
    for (const [index, line] of lines.entries()) {
      for (const edit of edits) await expectCleanProblems(lines.with(index, edit(line)).join('\n'));
    }
  });

  test.each([
    'secret: {hunter2}',
    'secret: {hunter2, encoding: utf8}',
    'secret: {hunter2: utf8}',
    'secret: [{hunter2: x}]',
    'secret: [[hunter2]]',
    'secret: {value: [hunter2]}',
    'secret: {value: {hunter2: x}}',
    'secret: {encoding: hunter2}',
    'secret: {kid: hunter2, value: [x]}',
    'secret: &hunter2 x',
    'secret: !hunter2 x',
    'secret: *hunter2',
    '? hunter2\n    : x',
    'keys: {hunter2: x}',
    'keys: [hunter2]',
    'basic: {user: a, hunter2-hunter2: x}',
    'basic: {user: a, password: {hunter2: x}}',
    'upstream: {url: http://a:hunter2@b}',
    'upstream: {url: "http://a b:hunter2@c"}',
    'upstream: {url: https://a, tls: {key: {hunter2: x}}}',
    'jwks: {url: https://a, headers: {X: [hunter2]}}',
    'jwks: https://hunter2:x@a/',
    'secret: |\n      hunter2\n   hunter3',
    'secret: >-\n      hunter2\n    issuer: [',
  ])('by a secret in an unexpected place: %s', async (line) => {
    const said = await problemText(`upstream: http://a\ntenants:\n  acme:\n    ${line}\n    modus: x\n`);
    if (line.includes('kid: hunter2') || line.startsWith('?')) return;
    expect(said).not.toContain('hunter');
  });

  test.each([
    'jwks: http://a/keys?key=hunter2',
    'jwks: {url: "http://a/keys?v=1&key=hunter2", timeout: 5s}',
    'jwks: {url: http://a/keys?key=hunter2}',
  ])('by a URL that is refused: %s', async (line) => {
    const said = await problemText(`upstream: http://a\ntenants:\n  acme:\n    ${line}\n    algorithms: [RS256]\n`);
    expect(said).toContain('plain http');
    expect(said).not.toContain('hunter');
  });

  test('by a private key pasted where a public one belongs', async () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const tenants = {
      pem: { keys: pem, algorithms: ['EdDSA'], match: { kid: 'a' } },
      jwk: { keys: [jwk], algorithms: ['EdDSA'], match: { kid: 'b' } },
    };
    const text = await problemText(JSON.stringify({ upstream: 'http://a', tenants }));
    expect(text).toContain('this is a private key');
    expect(text).not.toContain(pem.split('\n')[1]);
    expect(text).not.toContain(jwk.d);
  });
});

async function problemText(text: string): Promise<string> {
  const loaded = await loadConfig('config.yaml', configFiles({ ...files, 'config.yaml': text }, env));
  const problems = loaded.ok ? loaded.warnings : loaded.problems;
  return `${formatProblems(problems, { color: false })}${JSON.stringify([problems, problemsToJson(problems)])}`;
}

async function expectCleanProblems(text: string): Promise<void> {
  const said = await problemText(text);
  for (const form of [...forms, keyBody, 'hunter']) {
    if (said.includes(form)) throw new Error(`shown: ${form.slice(0, 20)}\nin ${said.slice(0, 2000)}\nof ${text}`);
  }
}
