import { expect, test } from 'vitest';
import type { KeySourceEvent } from '../../src/keys/key-source-status.ts';
import { logKeySourceEvent } from '../../src/ops/key-source-log.ts';
import { createLog } from '../../src/ops/log.ts';

const url = 'https://id.example/jwks';
const error = { atMs: 0, code: 'timeout', detail: 'no answer in 5000 ms' } as const;

test.each<[string, KeySourceEvent, object]>([
  [
    'new keys are news',
    { kind: 'keysChanged', url, added: ['new', undefined], removed: ['old'], skipped: [] },
    { level: 'info', msg: 'keys changed', url, added: ['new', '(no kid)'], removed: ['old'] },
  ],
  [
    'a set of a thousand long names makes a line, and no page',
    {
      kind: 'keysChanged',
      url,
      added: Array.from({ length: 1000 }, (_, i) => `${i}`.padEnd(1000, 'x')),
      removed: [],
      skipped: [],
    },
    { added: expect.toSatisfy((kids: string[]) => kids.length === 21 && kids.join().length < 3_000), removed: [] },
  ],
  [
    'a failed fetch with keys left is a warning',
    { kind: 'fetchFailed', url, error, keysLeft: 2 },
    { level: 'warn', msg: 'keys not fetched', code: 'timeout', keys_left: 2 },
  ],
  [
    'a failed fetch without keys is an error: its tenants are refused',
    { kind: 'fetchFailed', url, error, keysLeft: 0 },
    { level: 'error', keys_left: 0 },
  ],
  ['an end of trouble is said', { kind: 'recovered', url, failures: 3 }, { level: 'info', failures_before: 3 }],
  ['dropped keys are an error', { kind: 'keysDropped', url, detail: 'too old' }, { level: 'error', detail: 'too old' }],
])('%s', (_what, event, expected) => {
  const lines: string[] = [];
  const writer = { write: (line: string) => void lines.push(line), droppedLines: 0, close: async () => {} };
  logKeySourceEvent(createLog(writer, 'info', 'json'), event);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] as string)).toMatchObject(expected);
});
