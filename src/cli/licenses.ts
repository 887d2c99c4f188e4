import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { exitCodes } from './exit-codes.ts';

/** Prints the licences of all that is built in: 0, or 1 where nothing is, because the sources run as they are. */
export function printLicenses(): number {
  const text = findLicenses();
  if (text === undefined) {
    process.stderr.write('jwtgate: nothing is built in here; the executable carries the licences of what it holds\n');
    return exitCodes.no;
  }
  process.stdout.write(text);
  return exitCodes.ok;
}

/** In the executable; else beside the bundle, as the build lays them. */
function findLicenses(): string | undefined {
  if (isSea()) return getAsset('licenses.txt', 'utf8');
  try {
    return readFileSync(join(dirname(process.argv[1] ?? ''), 'THIRD-PARTY-LICENSES.txt'), 'utf8');
  } catch {
    return undefined;
  }
}
