import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { endAll, jwtgateCommand, startJwtgate } from '../support/jwtgate-process.ts';

const folder = resolve(import.meta.dirname, '../../deploy/systemd');
const unitText = readFileSync(join(folder, 'jwtgate.service'), 'utf8');
const dropIns = globSync(join(folder, 'jwtgate.service.d/*.conf')).sort();
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'jwtgate-systemd-'));
});

afterEach(async () => {
  await endAll();
  rmSync(directory, { recursive: true });
});

describe.skipIf(!hasSystemd)('as systemd sees it (needs systemd-analyze)', () => {
  test('the unit is sound', () => {
    expect(verify([])).toEqual({ status: 0, output: '' });
  });

  test.each(dropIns.map((path) => basename(path)))('and so it is with %s', (name) => {
    expect(verify([name])).toEqual({ status: 0, output: '' });
  });

  test('a unit with a mistake is not', () => {
    expect(verify([], (text) => text.replace('NoNewPrivileges=yes', 'NoNewPrivilegs=yes')).output).toContain(
      'NoNewPrivilegs',
    );
  });

  test('the service is exposed to no more than 2.0 of 10', () => {
    writeUnit([]);
    const { status, stdout } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--threshold=20', '--no-pager', join(directory, 'jwtgate.service')],
      { encoding: 'utf8' },
    );
    expect([status, /exposure level .*/.exec(stdout)?.[0]]).toEqual([0, expect.stringContaining('OK')]);
  });
});

describe('what the unit runs', () => {
  test('checks the config first, and is not started again where that would be no use', () => {
    expect(command('ExecStartPre')).toEqual(['/usr/local/bin/jwtgate', 'validate', '-c', '/etc/jwtgate/config.yaml']);
    expect(settings('RestartPreventExitStatus')).toEqual([`${exitCodes.usage} ${exitCodes.config}`]);
  });

  test('gives a drain all of its default time', () => {
    const [seconds] = settings('TimeoutStopSec');
    expect(Number(seconds)).toBeGreaterThan(25 + 5);
  });

  test('serves with a secret from a credential, reloads on what ExecReload sends, and stops with 0', async () => {
    const [, credential = ''] = /^LoadCredential=(\w+):/m.exec(readDropIn('credentials.conf')) ?? [];
    const credentials = join(directory, 'credentials');
    mkdirSync(credentials);
    writeFileSync(join(credentials, credential), 'a secret of more than thirty-two bytes', { mode: 0o400 });
    const config = join(directory, 'config.yaml');
    const [, advice = ''] = /^# +(secret: .*)$/m.exec(readDropIn('credentials.conf')) ?? [];
    writeFileSync(
      config,
      `listen: unix:${join(directory, 'http.sock')}
ops: off
upstream: http://127.0.0.1:9
tenants: {acme: {${advice}, algorithms: [HS256]}}
`,
    );
    const env = { CREDENTIALS_DIRECTORY: credentials };
    const inPlace = (line: string[]) => line.slice(1).map((word) => word.replace('/etc/jwtgate/config.yaml', config));

    const checked = startJwtgate(inPlace(command('ExecStartPre')), { env });
    expect([await checked.ended, checked.stdout]).toEqual([0, expect.stringContaining('valid (1 tenant)')]);

    const service = startJwtgate(inPlace(command('ExecStart')), { env });
    await service.logged('started');
    const [kill = '', signal, pid] = command('ExecReload');
    expect([kill, signal, pid]).toEqual(['/bin/kill', '-HUP', '$MAINPID']);
    writeFileSync(config, readFileSync(config, 'utf8').replace('acme:', 'globex:'));
    expect(spawnSync(kill, [signal as string, String(service.child.pid)]).status).toBe(0);
    await service.logged('config reloaded');
    service.signal('SIGTERM');
    expect(await service.ended).toBe(0);
  });
});

function settings(name: string): string[] {
  return [...unitText.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value as string);
}

function command(name: string): string[] {
  return settings(name).at(-1)?.split(' ') ?? [];
}

function readDropIn(name: string): string {
  return readFileSync(join(folder, 'jwtgate.service.d', name), 'utf8');
}

/** Says everything about the unit, of which only the program's place is another. */
function verify(names: readonly string[], change = (text: string) => text): { status: number | null; output: string } {
  writeUnit(names, change);
  const { status, stdout, stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--recursive-errors=no', join(directory, 'jwtgate.service')],
    { encoding: 'utf8' },
  );
  return { status, output: `${stdout}${stderr}` };
}

function writeUnit(names: readonly string[], change = (text: string) => text): void {
  const program = jwtgateCommand[0];
  writeFileSync(join(directory, 'jwtgate.service'), change(unitText).replaceAll('/usr/local/bin/jwtgate', program));
  mkdirSync(join(directory, 'jwtgate.service.d'), { recursive: true });
  for (const name of names) writeFileSync(join(directory, 'jwtgate.service.d', name), readDropIn(name));
}
