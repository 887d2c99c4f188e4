import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes `SHA256SUMS` of all other files of a folder, as `sha256sum --check` reads it; returns its text. */
export function writeChecksums(folder: string): string {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile() && !isAbout(entry.name));
  if (files.length === 0) throw new Error(`${folder} is empty: what is to be released?`);
  const lines = files.map(({ name }) => `${sha256(join(folder, name))}  ${name}\n`);
  const text = lines.sort((one, other) => (one.slice(64) < other.slice(64) ? -1 : 1)).join('');
  writeFileSync(join(folder, 'SHA256SUMS'), text);
  return text;
}

/** The sums themselves, and signatures, which come after. */
function isAbout(name: string): boolean {
  return name === 'SHA256SUMS' || name.endsWith('.sigstore.json');
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
