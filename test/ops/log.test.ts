import { expect, test } from 'vitest';
import { createLog } from '../../src/ops/log.ts';

function lines() {
  const written: string[] = [];
  return {
    written,
    writer: { write: (line: string) => void written.push(line), droppedLines: 0, close: async () => {} },
  };
}

test('a JSON line has a time, a level, a message and the fields that have a value', () => {
  const { written, writer } = lines();
  createLog(writer, 'info', 'json').warn('reloaded', { tenants: 3, added: ['a', 'b'], nothing: undefined, ok: true });
  const { time, ...rest } = JSON.parse(written[0] as string);
  expect(new Date(time).toISOString()).toBe(time);
  expect(rest).toEqual({ level: 'warn', msg: 'reloaded', tenants: 3, added: ['a', 'b'], ok: true });
});

test('lines below the level are not written, and the level can change while running', () => {
  const { written, writer } = lines();
  const log = createLog(writer, 'warn', 'json');
  log.info('one');
  log.level = 'debug';
  log.debug('two');
  log.level = 'fatal';
  log.error('three');
  expect(written.map((line) => JSON.parse(line).msg)).toEqual(['two']);
});

test('a text line is readable and has nothing a terminal would act on', () => {
  const { written, writer } = lines();
  createLog(writer, 'info', 'text').error('not\nloaded', { file: '/a b', problem: '\x1b[31m' });
  expect(written[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} ERROR not\\u000aloaded file="\/a b" problem=\\u001b\[31m$/);
});

test('a token that slipped into a message or a field is cut out', () => {
  const { written, writer } = lines();
  const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
  createLog(writer, 'info', 'json').error(`failed on ${token}`, { header: `Bearer ${token}`, list: [token] });
  createLog(writer, 'info', 'text').error(`failed on ${token}`, { header: `Bearer ${token}`, list: [token] });
  expect(written.join('\n')).not.toContain('eyJ');
});
