import type { ClientCertificate } from '../gate/client-certificate.ts';

/** What a config may read of a client's certificate: `client.NAME` in `bind`, `${client.NAME}` in headers, NAME in `match.client`. */
export const clientFields = [
  'subject',
  'commonName',
  'issuer',
  'serialNumber',
  'fingerprint',
  'thumbprint',
  'dns',
  'uri',
  'email',
  'ip',
] as const satisfies readonly (keyof ClientCertificate)[];

export type ClientField = (typeof clientFields)[number];

export function isClientField(name: string): name is ClientField {
  return (clientFields as readonly string[]).includes(name);
}

/** A field as one value: undefined without a certificate, where it lacks the field, or has several. */
export function oneClientValue(certificate: ClientCertificate | undefined, field: ClientField): string | undefined {
  const value = certificate?.[field];
  return typeof value === 'object' ? (value.length === 1 ? value[0] : undefined) : value;
}

/** A field as it is; a list that is empty is no value. */
export function clientValue(
  certificate: ClientCertificate | undefined,
  field: ClientField,
): string | readonly string[] | undefined {
  const value = certificate?.[field];
  return value?.length === 0 ? undefined : value;
}
