import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeError } from '../../src/ops/describe-error.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';

afterEach(endAll);

const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

/** A process with our crash handler in which this statement runs. */
function processThat(statement: string) {
  const src = join(import.meta.dirname, '../../src');
  const script = `
    const { createLineWriter } = await import('${src}/ops/line-writer.ts');
    const { createLog } = await import('${src}/ops/log.ts');
    const { installCrashHandler } = await import('${src}/cli/crash.ts');
    const writer = createLineWriter(process.stdout);
    const log = createLog(writer, 'info', 'json');
    installCrashHandler(log, writer);
    setTimeout(() => { log.info('still here'); void writer.close(1000); }, 100);
    ${statement}`;
  return startJwtgate([], { executable: [process.execPath, '--input-type=module', '-e', script] });
}

test.each([
  ['an exception', `setImmediate(() => { throw new TypeError('bad ${token}'); });`],
  ['a rejection that nobody handles', `Promise.reject(new TypeError('bad ${token}'));`],
])(
  '%s that nobody expected is logged without what looks like a token, and ends the process with 70',
  async (_what, statement) => {
    const crashed = processThat(statement);
    expect(await crashed.ended).toBe(70);
    const line = await crashed.logged('a fault in jwtgate: exiting');
    expect(line).toMatchObject({ level: 'fatal', error: 'TypeError: bad [redacted]' });
    expect(line.stack).toBeInstanceOf(Array);
    expect(crashed.stdout + crashed.stderr).not.toContain('eyJ');
  },
);

test.each(['ECONNRESET', 'EPIPE'])('an %s of a connection that nobody listened to is survived', async (code) => {
  const survivor = processThat(
    `setImmediate(() => { throw Object.assign(new Error('read ${code}'), { code: '${code}' }); });`,
  );
  expect(await survivor.logged('a connection error reached nobody')).toMatchObject({ level: 'error', code });
  await survivor.logged('still here');
  expect(await survivor.ended).toBe(0);
});

test('what is thrown and no error is described by its type alone', () => {
  expect(describeError(`a text with ${token}`)).toEqual({ error: 'string', code: undefined, stack: [] });
});

test('properties of an error are not told', () => {
  const described = JSON.stringify(describeError(Object.assign(new Error('x'), { secret: 'hidden', code: 5 })));
  expect(described).not.toContain('hidden');
});
