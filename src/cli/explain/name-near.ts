import { relative } from 'node:path';

/** A file as its reader would name it: relative where it lies below the working directory. */
export function nameNear(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith('..') ? file : near;
}
