import type { ListenAddress } from '../wire/listen-address.ts';
import { showAddress } from './show-address.ts';

/** A listener that the config asks for could not be opened. */
export interface CannotListen {
  readonly kind: 'cannotListen';
  readonly setting: 'listen' | 'verify' | 'ops' | 'admin';
  /** As in the config. */
  readonly address: string;
  /** Node's, such as EADDRINUSE. */
  readonly code: string;
}

export function cannotListen(setting: CannotListen['setting'], address: ListenAddress, error: unknown): CannotListen {
  const { code = 'failed' } = error as NodeJS.ErrnoException;
  return { kind: 'cannotListen', setting, address: showAddress(address), code };
}
