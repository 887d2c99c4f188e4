import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.ts';

/** What is being built. */
export interface Identity {
  /** Of package.json: the one place that says it. */
  readonly version: string;
  /** Twelve digits, or `unknown`. */
  readonly commit: string;
}

export function findIdentity(): Identity {
  return {
    version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
    commit: findCommit() ?? 'unknown',
  };
}

/** From the environment where there is no repository (an image build); undefined when neither tells. */
function findCommit(): string | undefined {
  if (process.env.JWTGATE_COMMIT) return process.env.JWTGATE_COMMIT;
  const { status, stdout } = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
