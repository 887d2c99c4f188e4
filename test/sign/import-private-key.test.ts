import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isKeyProblem } from '../../src/keys/key-problem.ts';
import { importPrivateKey } from '../../src/sign/import-private-key.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

const pem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1') => key.export({ format: 'pem', type }).toString();
const pkcs8 = pem(ec.privateKey, 'pkcs8');
const lines = pkcs8.trim().split('\n');
const body = lines.slice(1, -1);

function imported(text: string): KeyObject {
  const key = importPrivateKey(text);
  if (isKeyProblem(key)) throw new Error(key.detail);
  return key;
}

function problemOf(text: string): string {
  const key = importPrivateKey(text);
  if (!isKeyProblem(key)) throw new Error('expected a problem');
  return key.detail;
}

describe('a private key is read', () => {
  test.each([
    ['PKCS #8 RSA', pem(rsa.privateKey, 'pkcs8'), rsa.privateKey],
    ['PKCS #1 RSA', pem(rsa.privateKey, 'pkcs1'), rsa.privateKey],
    ['PKCS #8 EC', pkcs8, ec.privateKey],
    ['SEC 1 EC', pem(ec.privateKey, 'sec1'), ec.privateKey],
    ['PKCS #8 Ed25519', pem(ed.privateKey, 'pkcs8'), ed.privateKey],
  ])('as %s', (_, text, key) => {
    expect(imported(text).equals(key)).toBe(true);
  });

  test('as "openssl ecparam -genkey" prints it, with the curve in a block of its own', (context) => {
    let text: string;
    try {
      text = execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey'], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    } catch {
      return context.skip('openssl is not installed');
    }
    expect(text).toContain('BEGIN EC PARAMETERS');
    expect(imported(text).asymmetricKeyType).toBe('ec');
  });
});

describe('a key that was damaged on its way is repaired:', () => {
  test.each([
    ['line breaks written as \\n', lines.join('\\n')],
    ['line breaks written as \\n, one also at the end', pkcs8.replaceAll('\n', '\\n')],
    ['line breaks escaped twice', lines.join('\\\\n')],
    ['line breaks written as \\r\\n', lines.join('\\r\\n')],
    ['carriage returns before line breaks', lines.join('\r\n')],
    ['carriage returns alone', lines.join('\r')],
    ['no line break at the end', pkcs8.trimEnd()],
    ['empty lines within', lines.join('\n\n')],
    ['white space around', `\n\n  ${pkcs8}\n\t`],
    ['indented lines', lines.map((line) => `    ${line}`).join('\n')],
    ['double quotes around', `"${pkcs8}"`],
    ['single quotes around', `'${pkcs8}'`],
    ['a JSON string with its comma', `"${lines.join('\\n')}\\n",`],
    ['spaces in place of line breaks', lines.join(' ')],
    ['all on one line without breaks', lines.join('')],
    ['a byte order mark', `\uFEFF${pkcs8}`],
    ['text before the key', `Bag Attributes\n    friendlyName: x\n${pkcs8}`],
  ])('%s', (_, text) => {
    expect(imported(text).equals(ec.privateKey)).toBe(true);
  });
});

describe('what is no private key is named:', () => {
  const encrypted = rsa.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' });
  const encryptedOld = rsa.privateKey.export({ format: 'pem', type: 'pkcs1', cipher: 'aes-256-cbc', passphrase: 'x' });
  const publicPem = rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString();

  test.each([
    ['nothing', ' \n', 'is empty'],
    ['no BEGIN', [...body, lines.at(-1)].join('\n'), 'paste -----BEGIN PRIVATE KEY----- above the key'],
    ['no END', lines.slice(0, -1).join('\n'), 'paste -----END PRIVATE KEY----- below the key'],
    ['no END, \\n for breaks', lines.slice(0, -1).join('\\n'), 'paste -----END PRIVATE KEY----- below the key'],
    [
      'neither BEGIN nor END',
      body.join('\n'),
      'paste -----BEGIN PRIVATE KEY----- above the key and -----END PRIVATE KEY----- below it',
    ],
    [
      'the body of a PKCS #1 key',
      pem(rsa.privateKey, 'pkcs1').trim().split('\n').slice(1, -1).join('\n'),
      'paste -----BEGIN RSA PRIVATE KEY----- above the key and -----END RSA PRIVATE KEY----- below it',
    ],
    [
      'the body of a SEC 1 key',
      pem(ec.privateKey, 'sec1').trim().split('\n').slice(1, -1).join('\n'),
      'paste -----BEGIN EC PRIVATE KEY----- above the key and -----END EC PRIVATE KEY----- below it',
    ],
    ['the body of a public key', publicPem.trim().split('\n').slice(1, -1).join('\n'), 'this is a public key without'],
    ['a secret', 'correct horse battery staple', 'no private key in PEM'],
    ['PEM in base64 once more', Buffer.from(pkcs8).toString('base64'), 'decode it first'],
    ['an encrypted PKCS #8 key', encrypted.toString(), 'is encrypted'],
    ['an encrypted PKCS #1 key', encryptedOld.toString(), 'is encrypted'],
    ['a public key', publicPem, 'this is a public key'],
    ['a PKCS #1 public key', rsa.publicKey.export({ format: 'pem', type: 'pkcs1' }).toString(), 'this is a public key'],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', 'this is a certificate'],
    [
      'an OpenSSH key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n',
      'ssh-keygen -p',
    ],
    ['two keys', pkcs8 + pkcs8, '2 PEM blocks'],
    ['half a key', [lines[0], body[0], lines.at(-1)].join('\n'), "can't be parsed"],
    ['BEGIN and END that differ', pkcs8.replace('END PRIVATE', 'END EC PRIVATE'), '-----END PRIVATE KEY-----'],
  ])('%s', (_, text, detail) => {
    expect(problemOf(text)).toContain(detail);
  });

  test('no problem shows any part of the key', () => {
    const shown = [
      problemOf(body.join('\n')),
      problemOf(lines.slice(0, -1).join('\n')),
      problemOf([lines[0], ...body.slice(1), lines.at(-1)].join('\n')),
    ].join();
    for (const line of body) expect(shown).not.toContain(line.slice(0, 12));
  });
});
