import { expect, test } from 'vitest';
import type { RequestHead } from '../../src/gate/request-head.ts';
import { clientAddress } from '../../src/ops/client-address.ts';

function headFrom(peer: string, ...forwarded: string[]): RequestHead {
  const headers = forwarded.flatMap((value) => ['X-Forwarded-For', value]);
  return { id: 'r', method: 'GET', target: '/', httpVersion: '1.1', headers, scheme: 'http', peer };
}

const isInside = (address: string) => address.startsWith('10.');

test.each([
  ['an untrusted peer names nobody else', headFrom('203.0.113.9', '1.2.3.4'), '203.0.113.9'],
  ['a trusted peer without the header is itself', headFrom('10.0.0.1'), '10.0.0.1'],
  ['a trusted peer names its client', headFrom('10.0.0.1', '198.51.100.7'), '198.51.100.7'],
  ['trusted hops are skipped from the right', headFrom('10.0.0.1', '198.51.100.7, 10.0.0.3 ,10.0.0.2'), '198.51.100.7'],
  ['what the client itself put in front is hearsay', headFrom('10.0.0.1', '127.0.0.1, 198.51.100.7'), '198.51.100.7'],
  ['several headers are one list', headFrom('10.0.0.1', '198.51.100.7', '10.0.0.2'), '198.51.100.7'],
  ['all hops trusted: the farthest', headFrom('10.0.0.1', '10.0.0.5, 10.0.0.2'), '10.0.0.5'],
  ['an empty entry ends the list', headFrom('10.0.0.1', '198.51.100.7, ,10.0.0.2'), '10.0.0.2'],
])('%s', (_what, head, expected) => {
  expect(clientAddress(head, isInside)).toBe(expected);
});

test('an overlong entry is cut', () => {
  expect(clientAddress(headFrom('10.0.0.1', 'x'.repeat(5_000)), isInside)).toHaveLength(64);
});
