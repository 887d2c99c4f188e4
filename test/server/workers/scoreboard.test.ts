import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createScoreboard, noteOn, scoreboardFd } from '../../../src/server/workers/scoreboard.ts';
import { newFolder } from '../../support/scratch-folder.ts';

test('what was noted is there at once, and there is no file that anybody else could find', () => {
  const folder = newFolder();
  const scoreboard = createScoreboard(['/nowhere', folder]);
  expect(readdirSync(folder)).toEqual([]);
  const note = noteOn(scoreboard?.fd as number);
  expect(scoreboard?.last()).toBe(0);
  for (const client of [1, 2, 2 ** 40 + 1]) {
    expect(note(client)).toBe(true);
    expect(scoreboard?.last()).toBe(client);
  }
  scoreboard?.close();
});

test('what a process noted last outlives it, however it ends', async () => {
  const scoreboard = createScoreboard([newFolder()]);
  const code = `const b = Buffer.alloc(8); b.writeDoubleLE(17); require('node:fs').writeSync(${scoreboardFd}, b, 0, 8, 0); process.kill(process.pid, 'SIGKILL')`;
  const child = spawn(process.execPath, ['-e', code], {
    stdio: ['ignore', 'inherit', 'inherit', 'ignore', scoreboard?.fd],
  });
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  expect(scoreboard?.last()).toBe(17);
  scoreboard?.close();
});

test('where nothing can be noted the worker hears so, and where nothing can be written there is no scoreboard', () => {
  const fd = openSync('/proc/self/status', 'r');
  expect(noteOn(fd)(1)).toBe(false);
  closeSync(fd);
  expect(createScoreboard(['/nowhere', '/proc'])).toBeUndefined();
});
