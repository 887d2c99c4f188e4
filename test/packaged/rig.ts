import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { endAll } from '../support/jwtgate-process.ts';
import { type RawUpstream, startRawUpstream } from '../support/upstream.ts';

/** What `npm run build` made. */
export const executable = resolve(import.meta.dirname, '../../dist/jwtgate');

/** Stands in the file `secret`, beside the config. */
export const secret = 'a secret of more than thirty-two bytes';

/** Each test's own: a folder with the secret in it, and an upstream. */
export interface PackagedRig {
  readonly directory: string;
  readonly upstream: RawUpstream;
}

export function packagedRig(): PackagedRig {
  let directory = '';
  let upstream: RawUpstream;
  beforeEach(async () => {
    if (!existsSync(executable)) throw new Error('dist/jwtgate is not there: npm run build');
    directory = mkdtempSync(join(tmpdir(), 'jwtgate-packaged-'));
    writeFileSync(join(directory, 'secret'), secret, { mode: 0o600 });
    upstream = await startRawUpstream();
  });
  afterEach(async () => {
    await endAll();
    await upstream.close();
    rmSync(directory, { recursive: true });
  });
  return {
    get directory() {
      return directory;
    },
    get upstream() {
      return upstream;
    },
  };
}
