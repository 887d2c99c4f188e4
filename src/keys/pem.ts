import { type KeyProblem, keyProblem } from './key-problem.ts';

/** One PEM block (RFC 7468): what it says it is, and the bytes. */
export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

const begin = '-----BEGIN ';
const dashes = '-----';

/**
 * Reads the one PEM block in a text; explanatory text around it is allowed (RFC 7468 section 2), a second block is
 * not. Line breaks written as the two characters \n, as they come out of environment variables, are repaired.
 */
export function parsePem(text: string): PemBlock | KeyProblem {
  const lines = text.replaceAll('\\r', '').replaceAll('\\n', '\n').split(/\r?\n/);
  const starts = lines.flatMap((line, index) => (line.trim().startsWith(begin) ? [index] : []));
  const start = starts[0];
  if (start === undefined) {
    return keyProblem(
      'malformed',
      'no PEM block: the line -----BEGIN ...----- is missing, or not on a line of its own',
    );
  }
  if (starts.length > 1) {
    return keyProblem(
      'malformed',
      `${starts.length} PEM blocks: give every key, or a chain's first certificate, alone`,
    );
  }
  const first = (lines[start] as string).trim();
  const label = first.slice(begin.length, first.length - dashes.length);
  if (!first.endsWith(dashes) || !/^[A-Z0-9][A-Z0-9 ]{0,62}$/.test(label)) {
    return keyProblem(
      'malformed',
      first.includes('-----END ')
        ? 'the line breaks of the PEM block are lost: in YAML write it as a block scalar, with |'
        : 'the first line of the PEM block is not -----BEGIN ...-----',
    );
  }
  const end = lines.findIndex((line, index) => index > start && line.trim() === `${dashes}END ${label}${dashes}`);
  if (end < 0) return keyProblem('malformed', `the line -----END ${label}----- is missing`);
  const body = lines
    .slice(start + 1, end)
    .join('')
    .replace(/[ \t]/g, '');
  const der = Buffer.from(body, 'base64');
  if (der.length === 0 || der.toString('base64') !== body) {
    // Encrypted keys have headers (RFC 1421) before their base64: what matters is said by their label.
    if (!label.endsWith('PRIVATE KEY')) return keyProblem('malformed', `the body of ${label} is not base64`);
  }
  return { label, der };
}
