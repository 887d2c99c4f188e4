import { dirname } from 'node:path';
import type { WatchedPaths } from './content-hash.ts';

/** How a loader reads: files by path, and the paths that match a pattern. */
export interface Reading<Content> {
  readonly readFile: (path: string) => Promise<Content>;
  readonly glob: (pattern: string) => Promise<readonly string[]>;
}

export interface RecordedReads<Content> {
  /** For one load; what it reads is what is watched after it, whether it succeeds or not. */
  begin(): Reading<Content>;
  paths(): WatchedPaths;
}

/** Notes what a load reads, found or not: these are the files whose change is a change of the config. */
export function recordReads<Content>(reading: Reading<Content>): RecordedReads<Content> {
  let files = new Set<string>();
  let directories = new Set<string>();
  return {
    begin() {
      files = new Set();
      directories = new Set();
      const [itsFiles, itsDirectories] = [files, directories];
      return {
        readFile(path) {
          itsFiles.add(path);
          return reading.readFile(path);
        },
        glob(pattern) {
          itsDirectories.add(fixedPart(pattern));
          return reading.glob(pattern);
        },
      };
    },
    paths: () => ({ files: [...files], directories: [...directories] }),
  };
}

/** The directory above the first part of a pattern that is one: what lies deeper is found by the interval. */
function fixedPart(pattern: string): string {
  const wildcard = pattern.search(/[*?[{]/);
  return dirname(wildcard === -1 ? pattern : `${pattern.slice(0, wildcard)}x`);
}
