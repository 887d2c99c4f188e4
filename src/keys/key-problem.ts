/** Why a key can't be used; the words under which odd keys of a set are counted. */
export type KeyProblemCode =
  /** Not readable as what it claims to be. */
  | 'malformed'
  /** A private key where a public one belongs. */
  | 'privateKey'
  /** A shared secret in a set that anybody can fetch. */
  | 'secretKey'
  /** Key type, curve or algorithm that no JWS algorithm here goes with. */
  | 'unsupported'
  /** Meant for encryption, or for no operation of ours (`use`, `key_ops`). */
  | 'notForVerifying'
  /** Too short, or known to be breakable. */
  | 'weak'
  /** A sound key, for none of the algorithms asked for. */
  | 'algorithmMismatch'
  /** The same key once more. */
  | 'duplicate';

/** A key that was refused at import: a value, so that config can show it with its line. */
export interface KeyProblem {
  readonly kind: 'problem';
  readonly code: KeyProblemCode;
  /** A sentence for the operator, without any key material. */
  readonly detail: string;
}

export function keyProblem(code: KeyProblemCode, detail: string): KeyProblem {
  return { kind: 'problem', code, detail };
}

/** Tells a refused key from an imported one. */
export function isKeyProblem(value: object): value is KeyProblem {
  return 'kind' in value && value.kind === 'problem';
}
