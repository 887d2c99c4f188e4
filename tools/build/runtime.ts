import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/** The Node that goes into an executable. */
export interface Runtime {
  readonly version: string;
  readonly arch: string;
  /** The npm package it came in, with bin/node and LICENSE. */
  readonly folder: string;
  readonly node: string;
}

/** The one that runs this script. */
export function thisRuntime(): Runtime {
  const node = realpathSync(process.execPath);
  return { version: process.versions.node, arch: process.arch, folder: dirname(dirname(node)), node };
}
