import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest';
import type { Probe } from '../../../src/cli/demo/probes.ts';
import { demo } from '../../../src/cli/demo.ts';
import { endAll, startJwtgate } from '../../support/jwtgate-process.ts';
import { until } from '../../support/until.ts';

let stdout: MockInstance<typeof process.stdout.write>;
const printed = () => stripVTControlCharacters(stdout.mock.calls.map(([text]) => text).join(''));

beforeEach(() => {
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(async () => {
  stdout.mockRestore();
  await endAll();
});

type Sabotage = (probe: Probe) => Probe;

const refusedAs =
  (change: object): Sabotage =>
  (probe) =>
    probe.expect.kind === 'refused' ? { ...probe, expect: { ...probe.expect, ...change } } : probe;

const forwardedAs =
  (change: object): Sabotage =>
  (probe) =>
    probe.expect.kind === 'forwarded' ? { ...probe, expect: { ...probe.expect, ...change } } : probe;

describe('demo --once', () => {
  test('fires every request through the real gate, and all of them end as they should', async () => {
    expect(await demo({ once: true })).toBe(0);
    expect(printed()).toMatch(/12 of 12 as they should be/);
    expect(printed()).not.toContain('✗');
  });

  test('says what the upstream saw: the verified identity, not the spoofed one', async () => {
    await demo({ once: true });
    const rows = printed();
    expect(rows).toMatch(/✓ {2}acme +a good token and a spoofed identity +200 +upstream saw x-user-id: alice, /);
    expect(rows).toMatch(/✓ {2}acme +an expired token +401 +tokenExpired; upstream saw nothing/);
    expect(rows).toMatch(/✓ {2}globex +a good token in the cookie +200 +upstream saw x-user-id: hank/);
    expect(rows).toMatch(/✓ {2}initech +a good token in the query +200 +upstream saw x-user-id: peter/);
  });

  test('prints what the README shows of it', async () => {
    const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');
    const [, shown = ''] = /```\n( {2}✓ [\s\S]*?)\n```/.exec(readme) ?? [];
    await demo({ once: true });
    expect(shown.split('\n').length).toBeGreaterThan(10);
    for (const line of shown.split('\n')) expect(printed()).toContain(line);
  });

  test.each<[string, Sabotage, RegExp]>([
    ['a status', refusedAs({ status: 418 }), /status should be 418 and is 401/],
    ['a reason', refusedAs({ reason: 'tokenRevoked' }), /reason should be tokenRevoked and is tokenExpired/],
    ['a header upstream', forwardedAs({ saw: { 'x-user-id': 'root' } }), /x-user-id should be root and is alice/],
    ['a header too many', forwardedAs({ without: ['x-user-id'] }), /x-user-id should be absent and is alice/],
    ['a target', forwardedAs({ target: '/other' }), /target upstream should be \/other and is \/acme\/orders/],
    [
      'a refusal',
      (probe) => ({ ...probe, expect: { kind: 'refused', status: 401, reason: 'tokenMissing' } }),
      /it reached the upstream/,
    ],
    [
      'a pass',
      (probe) => ({ ...probe, expect: { kind: 'forwarded', saw: {}, without: [], target: probe.target } }),
      /it did not reach the upstream/,
    ],
  ])('answers 1 when %s is not as expected', async (_, sabotage, complaint) => {
    expect(await demo({ once: true }, (probes) => probes.map(sabotage))).toBe(1);
    expect(printed()).toMatch(/✗/);
    expect(printed()).toMatch(complaint);
  });

  test('takes other ports where the usual ones are taken', async () => {
    const taken = [8080, 3000].map((port) =>
      createServer()
        .listen(port, '127.0.0.1')
        .on('error', () => {}),
    );
    expect(await demo({ once: true })).toBe(0);
    for (const server of taken) server.close();
  });
});

describe('demo', () => {
  test('prints curl lines that do what is written above them, and ends on SIGINT with its files gone', async () => {
    const shown = startJwtgate(['demo']);
    await until('the page is there', () => shown.stdout.includes('Ctrl-C'));
    const commands = [...shown.stdout.matchAll(/^# (.+): (\d{3}).*\ncurl -i '([^']+)'(.*)$/gm)];
    expect(commands.map(([, what]) => what)).toEqual([
      'acme, a good token',
      'acme, an expired token',
      'acme, a good token and a spoofed identity',
      'globex, a good token in the cookie',
      'initech, a good token in the query',
    ]);
    for (const [, , status, url, options] of commands) {
      const headers = [...(options as string).matchAll(/-H '([^:]+): ([^']+)'/g)].map(([, name, value]) => [
        name,
        value,
      ]);
      const response = await fetch(url as string, { headers: headers as [string, string][] });
      expect([url, response.status]).toEqual([url, Number(status)]);
      await response.text();
    }
    const config = /\/\S*jwtgate-demo-\S+\/config\.yaml/.exec(shown.stdout)?.[0] as string;
    expect(readFileSync(config, 'utf8')).not.toMatch(/PRIVATE KEY/);
    shown.signal('SIGINT');
    expect(await shown.ended).toBe(0);
    expect(existsSync(config)).toBe(false);
    expect(shown.stderr).toBe('');
  });

  test('reloads its config on SIGHUP', async () => {
    const shown = startJwtgate(['demo']);
    await until('the page is there', () => shown.stdout.includes('Ctrl-C'));
    shown.signal('SIGHUP');
    await until('it says so', () => shown.stdout.includes('config unchanged'));
    shown.signal('SIGTERM');
    expect(await shown.ended).toBe(0);
  });

  test('shows no colours when it is not on a terminal', async () => {
    const shown = startJwtgate(['demo', '--once']);
    expect(await shown.ended).toBe(0);
    expect(shown.stdout).toBe(stripVTControlCharacters(shown.stdout));
  });
});
