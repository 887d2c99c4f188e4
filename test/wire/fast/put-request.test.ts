import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRequestHead } from '../../../src/wire/fast/head-parser.ts';
import { Outgoing } from '../../../src/wire/fast/outgoing.ts';
import { putRequest } from '../../../src/wire/fast/put-request.ts';
import type { BodyFraming } from '../../../src/wire/framing.ts';

const noBody: BodyFraming = { kind: 'none' };
const out = new Outgoing();

function inboundOf(lines: string) {
  const head = parseRequestHead(Buffer.from(`GET /a HTTP/1.1\r\n${lines}\r\n`, 'latin1'), 0, {
    headerBytes: 16_384,
    headerCount: 100,
  });
  if (head.kind !== 'head') throw new Error(JSON.stringify(head));
  return head;
}

function written(lines: string, headers: readonly string[], target = '/a'): string | false {
  return putRequest(out, inboundOf(lines), { target, headers }, noBody) && String(out);
}

const name = fc.constantFrom('Host', 'Accept', 'X-One', 'x-one', 'Cookie', 'X-Two-And-A-Half', 'Authorization');
const value = fc.constantFrom('', 'a', 'b c', '\xe9\xff', 'x'.repeat(100), ': ', 'a:\tb');
const gap = fc.constantFrom(' ', ' ', ' ', '', '\t', '  ');
const line = fc.record({ name, value, before: gap, after: fc.constantFrom('', '', '', ' ', '\t') });

test('what is written is what the gate allowed, line for line, however the client wrote it', () => {
  const property = fc.property(
    fc.array(line, { maxLength: 8 }),
    fc.infiniteStream(fc.constantFrom('keep', 'keep', 'keep', 'drop', 'change', 'rename', 'add')),
    (lines, acts) => {
      const text = lines
        .filter((one) => one.name !== 'Host')
        .map((one) => `${one.name}:${one.before}${one.value}${one.after}\r\n`);
      const inbound = inboundOf(`${text.join('')}Host: h\r\n`);
      const allowed: string[] = [];
      for (let i = 0; i < inbound.headers.length; i += 2) {
        const [known, value] = inbound.headers.slice(i, i + 2) as [string, string];
        const act = acts.next().value;
        if (act === 'change') allowed.push(known, `${value}changed`);
        else if (act === 'rename') allowed.push(`X-${known}`, value);
        else if (act !== 'drop') allowed.push(known, value);
        if (act === 'add') allowed.push('X-Added', 'by us');
      }
      let expected = 'GET /a HTTP/1.1\r\n';
      for (let i = 0; i < allowed.length; i += 2) expected += `${allowed[i]}: ${allowed[i + 1]}\r\n`;
      expect(putRequest(out, inbound, { target: '/a', headers: allowed }, noBody)).toBe(true);
      expect(String(out)).toBe(`${expected}\r\n`);
    },
  );
  fc.assert(property, { numRuns: 2_000 });
});

test('no byte goes into a head that could end a line, whatever the gate gives', () => {
  for (const bad of ['a\r\nX-Evil: 1', 'a\nb', 'a\rb', 'a\0', '\u010a', '\u{1f600}']) {
    expect(written('Host: h\r\n', ['Host', 'h', 'X-Bad', bad])).toBe(false);
    expect(written('Host: h\r\n', ['Host', 'h', bad, 'x'])).toBe(false);
    expect(written('Host: h\r\n', ['Host', 'h'], `/${bad}`)).toBe(false);
  }
  expect(written('Host: h\r\n', ['Host', 'h', 'X Bad', 'x'])).toBe(false);
});

test('fields that frame the message are the lane’s own to write', () => {
  const headers = ['Host', 'h', 'Content-Length', '5', 'transfer-encoding', 'chunked', 'Connection', 'close', 'X', '1'];
  expect(written('Host: h\r\n', headers)).toBe('GET /a HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r\n');
  const inbound = inboundOf('Host: h\r\nConnection: keep-alive\r\nX: 1\r\n');
  expect(putRequest(out, inbound, { target: '/a', headers: inbound.headers }, { kind: 'chunked' })).toBe(true);
  expect(String(out)).toBe('GET /a HTTP/1.1\r\nHost: h\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n');
});
