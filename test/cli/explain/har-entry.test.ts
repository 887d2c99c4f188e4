import { expect, test } from 'vitest';
import { readHarEntry } from '../../../src/cli/explain/har-entry.ts';

const entry = (url: string, more: object = {}) => ({
  request: { method: 'GET', url, headers: [{ name: 'Accept', value: '*/*' }], ...more },
});
const har = (...entries: object[]) => JSON.stringify({ log: { version: '1.2', entries } });

test('the only entry needs no number', () => {
  expect(readHarEntry(har(entry('https://a.example/x?y')), undefined)).toEqual({
    kind: 'request',
    request: { method: 'GET', url: 'https://a.example/x?y', headers: [['Accept', '*/*']] },
  });
});

test('an entry by its number; fields of HTTP/2 that are its request line are no headers', () => {
  const http2 = {
    method: 'POST',
    headers: [
      { name: ':authority', value: 'a.example' },
      { name: 'cookie', value: 'a=1' },
    ],
    postData: { mimeType: 'application/json', text: '{"ü":1}' },
  };
  expect(readHarEntry(har(entry('https://a.example/1'), entry('https://a.example/2', http2)), 2)).toEqual({
    kind: 'request',
    request: {
      method: 'POST',
      url: 'https://a.example/2',
      headers: [['cookie', 'a=1']],
      body: Buffer.from('{"ü":1}'),
    },
  });
});

test('of several, the list is shown without queries, in which there may be tokens', () => {
  const read = readHarEntry(har(entry('https://a.example/1?jwt=secret'), entry('https://a.example/2')), undefined);
  expect(read).toMatchObject({ kind: 'problem', detail: expect.stringContaining('1  GET https://a.example/1\n') });
  expect(JSON.stringify(read)).not.toContain('secret');
});

test.each([
  ['not JSON', '{', 1],
  ['no archive', '{"log":{}}', 1],
  ['null', 'null', 1],
  ['no such entry', har(entry('https://a.example/')), 2],
  ['an entry without a request', har({}), 1],
  ['a request without a URL', har({ request: { method: 'GET' } }), 1],
  ['a header that is none', har({ request: { method: 'GET', url: 'https://a/', headers: [null] } }), 1],
])('%s is a problem', (_, text, number) => {
  expect(readHarEntry(text, number)).toMatchObject({ kind: 'problem', detail: expect.any(String) });
});
