import { type Kind, TypeName } from './value.ts';

/** What `type()` answers: one object a kind, so that they are equal by identity. */
export const typeNames: Readonly<Record<Kind, TypeName>> = Object.fromEntries(
  (
    [
      'null_type',
      'bool',
      'int',
      'double',
      'string',
      'list',
      'map',
      'google.protobuf.Timestamp',
      'google.protobuf.Duration',
      'type',
    ] as const
  ).map((kind) => [kind, new TypeName(kind)]),
) as Record<Kind, TypeName>;
