/** What a line of the access log can hold beside time, level, msg, decision, reason and status, which it always has. */

/** What becomes of a field: `redact` leaves the key, `hash` tells whether two lines are about the same. */
export const fieldActions = ['keep', 'drop', 'redact', 'hash'] as const;
export type FieldAction = (typeof fieldActions)[number];

/** Text that may say something of people, with what becomes of it where the config says nothing. */
export const textFields = {
  request_id: 'keep',
  trace_id: 'keep',
  tenant: 'keep',
  detail: 'keep',
  path: 'keep',
  host: 'drop',
  user_agent: 'drop',
  referer: 'drop',
  client_ip: 'keep',
  kid: 'keep',
  iss: 'keep',
  sub: 'drop',
} as const satisfies Record<string, FieldAction>;

/** Numbers, and words out of few: they are kept or dropped. */
export const plainFields = [
  'method',
  'protocol',
  'duration_ms',
  'upstream_ms',
  'bytes_in',
  'bytes_out',
  'token_source',
  'alg',
  'cache',
  'lane',
  'end',
] as const;

export type TextField = keyof typeof textFields;
export type PlainField = (typeof plainFields)[number];
