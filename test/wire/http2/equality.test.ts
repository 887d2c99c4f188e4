import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerOf } from '../../support/http2-client.ts';
import { openTlsClient } from '../../support/tls.ts';
import type { ReceivedRequest } from '../../support/upstream.ts';
import { startHttp2 } from './http2-rig.ts';

/**
 * The same request by HTTP/1.1 and by HTTP/2 means the same to the gate, to the upstream and in the report. What may
 * differ: the spelling of names, where Host stands, one cookie for several, and how a body's end is told.
 */
const apart = new Set(['content-length', 'transfer-encoding', 'connection', 'x-test-serial']);

const name = fc
  .stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,10}$/)
  .map((text) => `x-${text}`)
  .filter((text) => !/^x[-_.]user/.test(text));
const value = fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,30}$/).map((text) => text.trim());
const field = fc.oneof(
  fc.tuple(name, value),
  fc.constantFrom<[string, string]>(
    ['cookie', 'a=b'],
    ['cookie', 'c=d; e=f'],
    ['accept', '*/*'],
    ['authorization', 'Bearer a.b.c'],
    ['x-user', 'evil'],
    ['x_user', 'evil'],
    ['te', 'trailers'],
    ['x-forwarded-for', '1.2.3.4'],
  ),
);
const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND'),
  path: fc.stringMatching(/^\/[A-Za-z0-9/._~%-]{0,20}(\?[A-Za-z0-9=&%-]{0,20})?$/),
  fields: fc.array(field, { maxLength: 6 }),
  body: fc.option(fc.stringMatching(/^[\x20-\x7e]{1,60}$/), { nil: undefined }),
  saysLength: fc.boolean(),
});

function normal(list: readonly string[]): string[] {
  const lines = new Map<string, string[]>();
  for (let i = 0; i < list.length; i += 2) {
    const lower = (list[i] as string).toLowerCase();
    if (!apart.has(lower)) lines.set(lower, [...(lines.get(lower) ?? []), list[i + 1] as string]);
  }
  return [...lines].map(([key, values]) => `${key}: ${values.join(key === 'cookie' ? '; ' : ', ')}`).sort();
}

const received = ({ method, target, body, rawHeaders }: ReceivedRequest) => ({
  method,
  target,
  body,
  fields: normal(rawHeaders),
});

test('a request by HTTP/2 has the effect of the same by HTTP/1.1', async () => {
  const rig = await startHttp2();
  const client = await rig.client();
  const old = await openTlsClient({ port: rig.port, ALPNProtocols: ['http/1.1'] });
  let serial = 0;
  const withSerial = (wanted: number) => {
    const found = rig.upstream.requests().filter(({ headers }) => headers['x-test-serial'] === String(wanted));
    expect(found).toHaveLength(1);
    return received(found[0] as ReceivedRequest);
  };
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, fields, body, saysLength }) => {
      serial += 2;
      const length = body !== undefined && saysLength ? [['content-length', String(body.length)] as const] : [];
      const sent: Record<string, string | string[]> = {};
      for (const [key, text] of [...fields, ...length]) {
        // Node's client sends no two of these.
        if (key === 'te' && sent.te !== undefined) continue;
        sent[key] = sent[key] === undefined ? text : [sent[key], text].flat();
      }
      const stream = client.open(
        { ':method': method, ':path': path, ...sent, 'x-test-serial': String(serial) },
        body === undefined,
      );
      if (body !== undefined) stream.end(body);
      const byTwo = await answerOf(stream);

      const lines = Object.entries(sent).flatMap(([key, texts]) => [texts].flat().map((text) => `${key}: ${text}\r\n`));
      const chunked = body !== undefined && !saysLength;
      const content = chunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : (body ?? '');
      old.send(
        `${method} ${path} HTTP/1.1\r\nHost: gate.example\r\nx-test-serial: ${serial + 1}\r\n${lines.join('')}${chunked ? 'Transfer-Encoding: chunked\r\n' : ''}\r\n${content}`,
      );
      const byOne = await old.response();

      expect([byTwo.status, byTwo.body]).toEqual([byOne.status, byOne.body]);
      expect(withSerial(serial)).toEqual(withSerial(serial + 1));
      const [askedTwo, askedOne] = rig.gate.heads.slice(-2).map(({ id: _, httpVersion: __, headers, ...head }) => ({
        ...head,
        headers: normal(headers),
      }));
      expect(askedTwo).toEqual(askedOne);
    }),
    { numRuns: 150 },
  );
  await rig.gate.gotOutcomes(300);
  expect(rig.gate.outcomes.every(({ status, end }) => status === 200 && end === 'complete')).toBe(true);
  old.destroy();
});
