import { createHmac, randomBytes } from 'node:crypto';
import { type FieldAction, type PlainField, plainFields, type TextField, textFields } from '../gate/log-fields.ts';

/** How a field is shown; a function says what stands in its place. */
export type Show = 'keep' | 'drop' | ((text: string) => string);

/** What a config makes of the access log's lines, compiled. */
export interface AccessView {
  readonly text: Readonly<Record<TextField, Show>>;
  readonly plain: Readonly<Record<PlainField, boolean>>;
  /** By the name of a claim in `log.access.claims`; none is dropped. */
  readonly claims: Readonly<Record<string, Exclude<Show, 'drop'>>>;
}

export interface AccessViewSpec {
  readonly fields?: Readonly<Partial<Record<TextField | PlainField, FieldAction>>> | undefined;
  readonly claims?: Readonly<Record<string, { readonly show: 'keep' | 'hash' }>> | undefined;
  /** Undefined: one of this process's own, so that nobody can try what a hash may be of. */
  readonly hashKey?: { reveal(): string } | undefined;
}

export function compileAccessView({ fields = {}, claims = {}, hashKey }: AccessViewSpec): AccessView {
  const hash = createHash(hashKey?.reveal());
  const show = { keep: 'keep', drop: 'drop', redact: () => '[redacted]', hash } as const;
  const text = Object.entries(textFields).map(([name, usual]) => [name, show[fields[name as TextField] ?? usual]]);
  const plain = plainFields.map((name) => [name, fields[name] !== 'drop']);
  return {
    text: Object.fromEntries(text),
    plain: Object.fromEntries(plain),
    claims: Object.fromEntries(Object.entries(claims).map(([name, claim]) => [name, show[claim.show]])),
  };
}

/** 96 bits: enough to tell texts apart, of which nobody who lacks the key can try whether one is meant. */
function createHash(secret: string | undefined): (text: string) => string {
  const key = secret ?? randomBytes(32);
  return (text) => createHmac('sha256', key).update(text).digest('base64url').slice(0, 16);
}

/** Where the config says nothing. */
export const usualView: AccessView = compileAccessView({});
