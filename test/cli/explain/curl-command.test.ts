import { describe, expect, test } from 'vitest';
import { readCurlCommand } from '../../../src/cli/explain/curl-command.ts';

function request(command: string) {
  const read = readCurlCommand(command);
  if (read.kind === 'problem') throw new Error(read.detail);
  const { body, headers, ...rest } = read.request;
  return { ...rest, headers: Object.fromEntries(headers), body: body && Buffer.from(body).toString() };
}

describe('a curl command', () => {
  test('as Chrome copies it', () => {
    const command = `curl 'https://api.example/acme/orders?page=2' \\
  -H 'accept: application/json' \\
  -H 'authorization: Bearer abc.def.ghi' \\
  -b 'theme=dark; session=1' \\
  --data-raw $'{"note":"it\\'s"}' \\
  --compressed`;
    expect(request(command)).toEqual({
      method: 'POST',
      url: 'https://api.example/acme/orders?page=2',
      headers: {
        accept: 'application/json',
        authorization: 'Bearer abc.def.ghi',
        Cookie: 'theme=dark; session=1',
        'User-Agent': 'curl',
        'Accept-Encoding': 'deflate, gzip, br, zstd',
        'Content-Type': 'application/x-www-form-urlencoded',
      },
      body: '{"note":"it\'s"}',
    });
  });

  test.each<[string, object]>([
    ['curl api.example/x', { method: 'GET', url: 'http://api.example/x' }],
    ['curl -XPUT -sS http://a/x', { method: 'PUT' }],
    ['curl -sSXDELETE http://a/x', { method: 'DELETE' }],
    ['curl -I http://a/x', { method: 'HEAD' }],
    ['curl -d a=1 -d b=2 http://a/x', { method: 'POST', body: 'a=1&b=2' }],
    ['curl -G -d a=1 -d b=2 "http://a/x?z"', { method: 'GET', url: 'http://a/x?z&a=1&b=2', body: undefined }],
    ["curl --data-urlencode 'q=a b&c' http://a/", { body: 'q=a%20b%26c' }],
    ["curl --json '{}' http://a/", { method: 'POST', body: '{}' }],
    ['curl -F f=1 http://a/', { method: 'POST', body: undefined }],
    ['curl --url http://a/x', { url: 'http://a/x' }],
    ['curl http://a/b/../c/./d', { url: 'http://a/c/d' }],
    ['curl --path-as-is http://a/b/../c', { url: 'http://a/b/../c' }],
    ['curl http://a/../../c/..', { url: 'http://a/' }],
    ['/usr/bin/curl -o out -w "%{http_code}" http://a/', { method: 'GET' }],
  ])('%s', (command, expected) => {
    expect(request(command)).toMatchObject(expected);
  });

  test('credentials become the headers that curl would send', () => {
    expect(request('curl -u joe:secret http://a/').headers.Authorization).toBe('Basic am9lOnNlY3JldA==');
    expect(request('curl --oauth2-bearer a.b.c http://a/').headers.Authorization).toBe('Bearer a.b.c');
  });

  test('a header without a value is left out, one that ends in ";" is empty', () => {
    const { headers } = request("curl -H 'Accept:' -H 'X-Empty;' http://a/");
    expect(headers).toEqual({ 'X-Empty': '', 'User-Agent': 'curl' });
  });

  test.each([
    ['wget http://a/', /begin with curl/],
    ['curl', /no URL/],
    ['curl http://a/ http://b/', /two URLs/],
    ['curl --frobnicate http://a/', /--frobnicate, which is not known/],
    ['curl -d @/etc/passwd http://a/', /stands in a file, which is not read/],
    ['curl --data-urlencode x@/etc/passwd http://a/', /stands in a file, which is not read/],
    ['curl -H @/etc/passwd http://a/', /stand in a file/],
    ['curl -b jar.txt http://a/', /stand in a file/],
    ['curl -H nonsense http://a/', /no ":"/],
    ['curl http://a/ -H', /without its value/],
    ['curl http://a/ --constructor', /not known/],
    ['curl http://a/; id', /would act on/],
  ])('%s is a problem', (command, detail) => {
    expect(readCurlCommand(command)).toMatchObject({ kind: 'problem', detail: expect.stringMatching(detail) });
  });
});
