import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { configText, runGate, secretOf, tenantText, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

const config = (tenants: readonly string[], more?: string) =>
  configText({ upstreamPort: upstream.port, tenants, ...(more !== undefined && { more }) });

test('--watch: a ConfigMap whose ..data is swapped is reloaded, twice in a row', async () => {
  const volume = newFolder();
  const update = async (name: string, tenants: readonly string[]) => {
    await mkdir(join(volume, name));
    await writeFile(join(volume, name, 'config.yaml'), config(tenants));
    await symlink(name, join(volume, '..data_tmp'));
    await rename(join(volume, '..data_tmp'), join(volume, '..data'));
  };
  await update('..1', ['acme']);
  await symlink('..data/config.yaml', join(volume, 'config.yaml'));
  const process = startJwtgate(['run', '-c', join(volume, 'config.yaml'), '--watch']);
  await process.logged('started');
  await update('..2', ['acme', 'globex']);
  await rm(join(volume, '..1'), { recursive: true });
  expect(await process.logged('config reloaded')).toMatchObject({ cause: 'watch', tenants_added: ['globex'] });
  await update('..3', ['globex']);
  expect(await process.logged('config reloaded')).toMatchObject({ cause: 'watch', tenants_removed: ['acme'] });
});

test('watch: true in the config, an atomic rename, and a broken file in between', async () => {
  const gate = await runGate(config(['acme'], 'watch: true'));
  const replace = async (text: string) => {
    await writeFile(`${gate.configPath}.tmp`, text);
    await rename(`${gate.configPath}.tmp`, gate.configPath);
  };
  await replace('tenants: [');
  await gate.process.logged('reload refused: the config before it is still served');
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  await replace(config(['globex'], 'watch: true'));
  await gate.process.logged('config reloaded');
  expect((await gate.send('/globex/x', { token: tokenOf('globex') })).status).toBe(200);
});

test('a new file that an include pattern takes in is a change, and so is what is written into it', async () => {
  const folder = newFolder();
  await mkdir(join(folder, 'tenants.d'));
  await writeFile(join(folder, 'tenants.d/acme.yaml'), `tenants:\n${tenantText('acme')}\n`);
  const text = config([], 'include: [tenants.d/*.yaml]').replace('tenants:\n', '');
  const gate = await runGate(text, { folder, args: ['--watch'] });
  await writeFile(join(folder, 'tenants.d/globex.yaml'), `tenants:\n${tenantText('globex')}\n`);
  expect(await gate.process.logged('config reloaded')).toMatchObject({ tenants_added: ['globex'] });
  await writeFile(join(folder, 'tenants.d/globex.yaml'), `tenants:\n${tenantText('initech')}\n`);
  expect(await gate.process.logged('config reloaded')).toMatchObject({ tenants_removed: ['globex'] });
});

test('a secret file that is rotated is followed', async () => {
  const folder = newFolder();
  await mkdir(join(folder, 'secrets'));
  const file = join(folder, 'secrets/acme');
  await writeFile(file, secretOf('acme'));
  const text = config([]).replace('tenants:', `tenants: {acme: {secret: {file: ${file}}, algorithms: [HS256]}}`);
  const gate = await runGate(text, { folder, args: ['--watch'] });
  await writeFile(`${file}.new`, secretOf('rotated'));
  await rename(`${file}.new`, file);
  expect(await gate.process.logged('config reloaded')).toMatchObject({ tenants_changed: ['acme'] });
  expect((await gate.send('/x', { token: tokenOf('acme') })).status).toBe(401);
  expect((await gate.send('/x', { token: tokenOf('rotated') })).status).toBe(200);
});

test('watching can be turned on by a reload, and off again', async () => {
  const gate = await runGate(config(['acme']));
  await gate.rewrite(config(['acme', 'globex'], 'watch: true'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded', { cause: 'SIGHUP' });
  await gate.rewrite(config(['acme', 'initech']));
  await gate.process.logged('config reloaded', { cause: 'watch' });
  await gate.rewrite(config(['acme']));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded', { cause: 'SIGHUP' });
});
