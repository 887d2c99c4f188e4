import { constants } from 'node:fs';
import { glob, open } from 'node:fs/promises';
import type { KeySources } from '../keys/key-sources.ts';
import type { ReplayStores } from '../state/replay-stores.ts';
import type { RevocationLists } from '../state/revocation-lists.ts';
import type { CompiledTls } from './compile-listen.ts';
import type { SendingState } from './compile-sending.ts';
import type { Environment } from './interpolate.ts';
import type { WorkersConfig } from './shape/config.ts';
import type { StandInKeys } from './stand-in.ts';

/** All that loading a config asks of the world, so that a test can answer with maps. */
export interface ConfigDeps {
  readonly env: Environment;
  readonly readFile: (path: string) => Promise<FileContent | FileFault>;
  /** Paths of the files that match a pattern, in any order. */
  readonly glob: (pattern: string) => Promise<readonly string[]>;
  /** Where remote keys are held; without it a config is only checked, and tenants with such keys get none. */
  readonly keySources?: Pick<KeySources, 'acquire'> | undefined;
  /** Where revocation lists are held; without it a config is only checked. */
  readonly revocations?: RevocationLists | undefined;
  /** Where used tokens are remembered; without it a config is only checked. */
  readonly replays?: ReplayStores | undefined;
  /** What the listener speaks TLS with now, if anything. */
  readonly servedTls?: Pick<CompiledTls, 'cert' | 'validity'> | undefined;
  /** Only for tests of a config: see there. */
  readonly standInKeys?: StandInKeys | undefined;
  /** What signing and provisioning keep across configs; without it, they begin with nothing. */
  readonly sending?: SendingState | undefined;
  /** What of these is held where so many workers are asked for; looked at once the main file was read. */
  readonly stateFor?: ((workers: WorkersConfig) => Promise<HeldState>) | undefined;
  /** The config is loaded by one of several workers, which share what an upstream may have. */
  readonly worker?: WorkerShare | undefined;
  /** The policy's number, where another process of ours has given it one. */
  readonly generation?: number | undefined;
}

/** Where a config finds what outlives it. */
export type HeldState = Pick<ConfigDeps, 'keySources' | 'revocations' | 'replays' | 'sending'>;

export interface WorkerShare {
  /** 1 to `of`. */
  readonly index: number;
  readonly of: number;
}

export interface FileContent {
  readonly bytes: Uint8Array;
  /** Permission bits (`stat`'s mode); undefined where there are none. */
  readonly mode?: number | undefined;
}

export interface FileFault {
  readonly fault: 'missing' | 'denied' | 'notAFile' | 'tooLarge' | 'failed';
}

/** No config comes near; a wrong path (a disk image, /dev/zero) does. */
const mostFileBytes = 256 * 1024 * 1024;

/** The real file system and the given environment. */
export function diskDeps(env: Environment): ConfigDeps {
  return {
    env,
    readFile: readFromDisk,
    async glob(pattern) {
      const found: string[] = [];
      for await (const entry of glob(pattern, { withFileTypes: false })) found.push(entry);
      return found;
    },
  };
}

async function readFromDisk(path: string): Promise<FileContent | FileFault> {
  try {
    // Without O_NONBLOCK a FIFO given by mistake would hold the start for ever.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) return { fault: 'notAFile' };
    if (stat.size > mostFileBytes) return { fault: 'tooLarge' };
    return { bytes: await handle.readFile(), mode: stat.mode };
  } catch (error) {
    return { fault: faultsByCode[(error as NodeJS.ErrnoException).code ?? ''] ?? 'failed' };
  }
}

const faultsByCode: Readonly<Record<string, FileFault['fault']>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'denied',
  EPERM: 'denied',
  EISDIR: 'notAFile',
};
