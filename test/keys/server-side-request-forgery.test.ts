import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { readDiscovery } from '../../src/keys/discovery.ts';
import { createDocumentFetcher, type FetchDocument } from '../../src/keys/fetch-document.ts';
import { isOwnAddress } from '../../src/keys/own-addresses.ts';
import { createSetFetcher } from '../../src/keys/set-fetcher.ts';
import { usualFetchPolicy } from '../support/fetch-policy.ts';

/*
 * An identity provider that was taken over names an address of ours as its key set, and lets us ask there: the admin
 * listener, the metadata service of the cloud, the service behind us.
 */

const issuer = 'https://id.example';
const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function inside(): Promise<{ readonly port: number; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('{"keys":[]}');
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, asked };
}

const request = (port: number) => ({
  url: new URL(`http://id.keys.example:${port}/explain`),
  headers: {},
  timeoutMs: 20_000,
  maxBytes: 1_000,
  ca: undefined,
  validators: {},
  skipCaches: false,
  reuseMs: 0,
  source: issuer,
  signal: new AbortController().signal,
});

test.each([
  'localhost:9902',
  'admin.localhost:9902',
  '127.0.0.1:9902',
  '127.1:9902',
  '2130706433:9902',
  '0x7f000001:9902',
  '0.0.0.0:9902',
  '0:9902',
  '[::1]:9902',
  '[0:0:0:0:0:0:0:1]:9902',
  '[::]:9902',
  '[::ffff:127.0.0.1]:9902',
  '[::ffff:7f00:1]:9902',
  '[::127.0.0.1]:9902',
  '[64:ff9b::127.0.0.1]:9902',
  '169.254.169.254',
  '[::ffff:169.254.169.254]',
  '[fe80::1]',
])('metadata that sends us to %s is not followed, even where plain http may be', (host) => {
  for (const scheme of ['http', 'https']) {
    const text = JSON.stringify({ issuer, jwks_uri: `${scheme}://${host}/explain` });
    expect(readDiscovery(text, issuer, true), scheme).toMatchObject({ kind: 'failed', code: 'notKeySet' });
  }
});

test.each(['10.0.0.7', '192.168.1.1', '[fd00::7]', 'keys.internal.example', '172.16.0.1'])(
  'an address inside the company, %s, is where identity providers are',
  (host) => {
    const text = JSON.stringify({ issuer, jwks_uri: `https://${host}/jwks` });
    expect(readDiscovery(text, issuer, false)).toBeInstanceOf(URL);
  },
);

test('addresses are told apart by what they mean, not by how they are written', () => {
  const own = ['127.0.0.1', '127.8.8.8', '0.0.0.0', '::', '::1', '::ffff:127.0.0.1', 'fe80::1%eth0', '169.254.1.1'];
  const others = ['128.0.0.1', '126.255.255.255', '10.0.0.1', '2001:db8::1', '::ffff:10.0.0.1', '64:ff9b::a00:1'];
  expect(own.filter((address) => !isOwnAddress(address))).toEqual([]);
  expect(others.filter(isOwnAddress)).toEqual([]);
  // What is no address at all is nothing to connect to.
  expect(isOwnAddress('')).toBe(true);
});

test.each(['localhost', 'localhost.'])(
  '%s is this machine, which plain http is for: no resolver is asked',
  async (host) => {
    const { port, asked } = await inside();
    const fetchDocument = createDocumentFetcher({}, Date.now, (_name, _options, callback) =>
      callback(null, '192.0.2.1', 4),
    );
    const url = new URL(`http://${host}:${port}/jwks`);
    expect((await fetchDocument({ ...request(port), url })).kind).toBe('document');
    expect(asked).toEqual(['/jwks']);
  },
);

describe('a name that resolves to this machine', () => {
  /** Whoever owns a name makes it lead wherever they like. */
  const resolve: LookupFunction = (_name, { all }, callback) => {
    if (all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
    else callback(null, '127.0.0.1', 4);
  };
  const proxy = 'http://proxy.example:1';

  test.each([
    ['without a proxy', {}],
    ['past the proxy, by NO_PROXY', { HTTP_PROXY: proxy, NO_PROXY: '.example' }],
    ['past a proxy that is for https alone', { HTTPS_PROXY: proxy }],
  ])('is not asked where the address is a document’s word, %s', async (_, env) => {
    const { port, asked } = await inside();
    const fetchDocument = createDocumentFetcher(env, Date.now, resolve);
    expect(await fetchDocument({ ...request(port), elsewhere: true })).toEqual({
      kind: 'failed',
      code: 'unreachable',
      detail: 'ERR_LEADS_TO_THIS_MACHINE',
    });
    expect(asked).toEqual([]);
  });

  test('is asked where the config names it', async () => {
    const { port, asked } = await inside();
    expect((await createDocumentFetcher({}, Date.now, resolve)(request(port))).kind).toBe('document');
    expect(asked).toEqual(['/explain']);
  });

  test('may be the proxy, which the operator chose', async () => {
    const { port, asked } = await inside();
    const fetchDocument = createDocumentFetcher({ HTTP_PROXY: `http://localhost:${port}` }, Date.now, resolve);
    expect((await fetchDocument({ ...request(port), elsewhere: true })).kind).toBe('document');
    expect(asked).toEqual([`http://id.keys.example:${port}/explain`]);
  });

  test('a key set that stands elsewhere than its issuer is fetched that way, and one beside it as configured', async () => {
    for (const [jwks_uri, elsewhere] of [
      ['https://keys.example/jwks', true],
      [`${issuer}/jwks`, false],
    ] as const) {
      const asked: (boolean | undefined)[] = [];
      const fetchDocument: FetchDocument = async ({ url, elsewhere }) => {
        asked.push(elsewhere);
        const text = url.pathname.endsWith('configuration') ? JSON.stringify({ issuer, jwks_uri }) : '{"keys":[]}';
        return { kind: 'document', text, validators: {}, lifetimeMs: undefined };
      };
      const fetchSet = createSetFetcher({ kind: 'discovery', url: issuer }, usualFetchPolicy, fetchDocument, Date.now);
      const { signal } = new AbortController();
      expect((await fetchSet({ conditional: false, skipCaches: false, signal })).kind).toBe('set');
      expect(asked).toEqual([false, elsewhere]);
    }
  });
});
