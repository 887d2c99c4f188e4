import { randomBytes } from 'node:crypto';

/** A file that goes with a config and that only its owner may read. */
export interface PrivateFile {
  /** Relative to the config. */
  readonly name: string;
  readonly make: () => string;
}

/** As many random bytes as HS512 has use for, as text. */
export function newSecret(): string {
  return `${randomBytes(64).toString('base64url')}\n`;
}
