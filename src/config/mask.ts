import type { ConfigPath } from './config-path.ts';
import type { Model } from './model.ts';
import { isContainer, type Plain, type PlainObject } from './places.ts';
import { config } from './shape/config.ts';
import { isShowable } from './shape/walk.ts';

const redacted = '[redacted]';

/**
 * The effective config, templates merged and placeholders filled, for people to look at: every value that the schema
 * calls a secret, or does not know, is "[redacted]".
 */
export function maskConfig({ globals, tenants }: Model): PlainObject {
  const masked = mask(globals.raw, globals.path) as PlainObject;
  masked.tenants = Object.fromEntries(tenants.map(({ id, raw, path }) => [id, mask(raw, path)]));
  return masked;
}

function mask(value: Plain, path: ConfigPath): Plain {
  if (!isContainer(value)) return isShowable(config, path, value) ? withoutUserInfo(value) : redacted;
  if (Array.isArray(value)) return value.map((item, index) => mask(item, [...path, index]));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mask(member, [...path, key])]));
}

/** No URL of ours may hold a password, but a value from the environment can be anything. */
function withoutUserInfo(value: Exclude<Plain, Plain[] | PlainObject>): Plain {
  return typeof value === 'string' ? value.replace(/(?<=:\/\/).*(?=@)/g, redacted) : value;
}
