import type { ConfigPath } from './config-path.ts';
import { didYouMean } from './did-you-mean.ts';
import { type FindingText, findingAt, type Report } from './finding.ts';
import type { Pause } from './pacer.ts';
import {
  type Container,
  findSpan,
  isContainer,
  isPlainObject,
  type Places,
  type Plain,
  type PlainObject,
} from './places.ts';
import type { Source } from './source.ts';

/*
 * Placeholders are filled in two passes over parsed strings, never over the text, so that a value can't change the
 * config's structure:
 *
 * 1. `interpolate`, once a file: `${ENV}`, `${ENV:-default}`, `${ENV:?message}`. What is left is a *pending* string:
 *    `${lower}` waits to be filled, and a dollar, from `$$` or from the environment, stands as `$$`, so that a password
 *    with "${" in it is never read as a placeholder.
 * 2. `fillPending`, once a tenant (or for what is no tenant's): `${tenant}`, and `$$` becomes a dollar. Headers and error
 *    bodies stay pending, with `${tenant}` filled: the gate fills their `${claims.…}` and `$$` a request. What is signed
 *    or sent on our own account stays pending as a whole: there a tenant called "now" must not become the time.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

const environmentName = /^[A-Z_][A-Z0-9_]*$/;
const lateName = /^[a-z][A-Za-z]*(?:[.[].*)?$/s;
const placeholder = /\$\$|\$\{([^}]*)\}|\$\{/g;

/** Fills environment variables into every string of a parsed file, in place. */
export async function interpolate(
  root: Container,
  source: Source,
  env: Environment,
  places: Places,
  report: Report,
  pause: Pause,
): Promise<void> {
  const names = () => Object.keys(env).filter((name) => env[name] !== undefined);

  const fillText = (text: string, path: ConfigPath): string => {
    const fault = (text: FindingText): string => {
      const span = findSpan(places, root, path, 'value') ?? { source, start: 0, end: 0 };
      report.add(findingAt(span, path, text));
      return '';
    };
    return text.replace(placeholder, (whole, inner: string | undefined) => {
      if (whole === '$$') return whole;
      if (inner === undefined) return fault({ message: '"${" is not closed', hint: 'write $$ for a dollar' });
      if (lateName.test(inner)) return whole;
      const value = readVariable(inner, env, names);
      if (typeof value !== 'string') return fault(value);
      if (isRule(path) && !/^[^"'\\\p{Cc}]*$/u.test(value)) return fault(tooMuchForRule);
      return value.replaceAll('$', '$$$$');
    });
  };

  /** Returns what of the entry is still to be visited. */
  const fill = (container: Container, key: string | number, path: ConfigPath): Container | undefined => {
    const value = memberOf(container, key);
    if (typeof key === 'string' && key.includes('${')) {
      const span = findSpan(places, root, path, 'key') ?? { source, start: 0, end: 0 };
      report.add(findingAt(span, path, { message: 'placeholders are filled in values, not in keys' }));
    }
    if (isContainer(value)) return value;
    if (typeof value === 'string' && value.includes('$')) (container as PlainObject)[key] = fillText(value, path);
    return undefined;
  };
  const visit = (container: Container, path: ConfigPath): void => {
    for (const key of keysOf(container)) {
      const inner = fill(container, key, [...path, key]);
      if (inner !== undefined) visit(inner, [...path, key]);
    }
  };
  for (const section of keysOf(root)) {
    const entries = fill(root, section, [section]);
    if (entries === undefined) continue;
    for (const key of keysOf(entries)) {
      await pause();
      const inner = fill(entries, key, [section, key]);
      if (inner !== undefined) visit(inner, [section, key]);
    }
  }
}

/** An expression is a structure as well: what is filled in must stay inside the quotes it is put between. */
const tooMuchForRule: FindingText = {
  message:
    'what is filled into a rule may hold no quotes, backslashes or line breaks: it would change what the rule says',
};

function isRule(path: ConfigPath): boolean {
  const [section, , member, , inner] = path;
  if (section !== 'tenants' && section !== 'templates') return false;
  return (member === 'rule' && path.length === 3) || (member === 'routes' && inner === 'rule' && path.length === 5);
}

/** Not entries: to list 100,000 of those at once takes long. */
function keysOf(container: Container): Iterable<string | number> {
  return Array.isArray(container) ? container.keys() : Object.keys(container);
}

function memberOf(container: Container, key: string | number): Plain {
  return (container as PlainObject)[key] as Plain;
}

function readVariable(inner: string, env: Environment, names: () => string[]): string | FindingText {
  const colon = inner.indexOf(':');
  const name = colon === -1 ? inner : inner.slice(0, colon);
  const form = colon === -1 ? '' : inner.slice(colon, colon + 2);
  const rest = colon === -1 ? '' : inner.slice(colon + 2);
  if (!environmentName.test(name) || !['', ':-', ':?'].includes(form)) {
    return { message: 'is no placeholder', hint: 'write ${ENV}, ${ENV:-default}, ${ENV:?message}, or $$ for a dollar' };
  }
  const value = env[name];
  if (form === ':-') return value === undefined || value === '' ? rest : value;
  if (form === ':?')
    return value === undefined || value === '' ? { message: `${name}: ${rest || 'must be set'}` } : value;
  if (value !== undefined) return value;
  return {
    message: `the environment variable ${name} is not set`,
    hint: didYouMean(name, names()) ?? `set it, or write \${${name}:-default}`,
  };
}

/** What to fill, and what may be left for later. */
export interface FillContext {
  readonly tenant: string | undefined;
  /** Which placeholders at this path are left, with `$$`, to whoever compiles the template? */
  readonly keeps: (path: ConfigPath) => Kept;
  readonly places: Places;
  /** Told of each placeholder that nothing fills; the name is "" where it is not closed. */
  readonly unknown: (path: ConfigPath, name: string) => void;
}

export type Kept = 'none' | 'allButTenant' | 'all';

/** The object with its pending strings filled: the same one where there was nothing to fill, so that it stays shared. */
export function fillPending(root: PlainObject, { tenant, keeps, places, unknown }: FillContext): PlainObject {
  const path: (string | number)[] = [];

  const fillText = (text: string): string => {
    const kept = keeps(path);
    return text.replace(placeholder, (whole, name: string | undefined) => {
      if (kept === 'all') return whole;
      if (name === 'tenant' && tenant !== undefined) return tenant;
      if (kept === 'allButTenant') return whole;
      if (whole === '$$') return '$';
      unknown([...path], name ?? '');
      return whole;
    });
  };

  const visit = (value: Plain): Plain => {
    if (typeof value === 'string') return value.includes('$') ? fillText(value) : value;
    if (!isContainer(value)) return value;
    let copy: Container | undefined;
    for (const key of keysOf(value)) {
      const member = memberOf(value, key);
      path.push(key);
      const filled = visit(member);
      path.pop();
      if (filled === member) continue;
      if (copy === undefined) {
        copy = isPlainObject(value) ? { ...value } : [...value];
        places.copied(copy, value);
      }
      (copy as PlainObject)[key] = filled;
    }
    return copy ?? value;
  };
  return visit(root) as PlainObject;
}
