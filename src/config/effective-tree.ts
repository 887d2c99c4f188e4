import type { ConfigPath } from './config-path.ts';
import { findOrigin, type Origin, type OriginsOf } from './origin.ts';
import { isContainer, type Plain, type PlainObject } from './places.ts';
import { Secret } from './secret.ts';
import { config } from './shape/config.ts';
import { defaultsAt, isShowable } from './shape/walk.ts';
import { withoutUrlSecrets } from './url-secrets.ts';

/** The effective config as a tree: templates merged, placeholders filled, defaults in place of what nobody said. */
export type EffectiveNode =
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, EffectiveNode>; readonly origin: Origin }
  | { readonly kind: 'list'; readonly items: readonly EffectiveNode[]; readonly origin: Origin }
  | EffectiveScalar;

export interface EffectiveScalar {
  readonly kind: 'scalar';
  /** In the config's own words: for comparing, never for showing. */
  readonly value: Secret<null | boolean | number | string>;
  /** "[redacted]" for every value that the schema calls a secret, or does not know. */
  readonly shown: null | boolean | number | string;
  readonly origin: Origin;
}

export const redacted = '[redacted]';

/** Makes the tree of a part of the config, whose path leads from the config's root to it. */
export function effectiveTree(raw: PlainObject, path: ConfigPath, originsOf: OriginsOf): EffectiveNode {
  const build = (value: Plain, inner: ConfigPath, origin: Origin): EffectiveNode => {
    const full = [...path, ...inner];
    if (!isContainer(value)) {
      // A default is no secret: everyone has it.
      const isShown = origin.from === 'default' || isShowable(config, full, value);
      const shown = isShown ? withoutUrlParts(value) : redacted;
      return { kind: 'scalar', value: new Secret(value), shown, origin };
    }
    const originOf = (key: string | number): Origin =>
      origin.from === 'default' ? origin : findOrigin(originsOf, raw, [...inner, key]);
    if (Array.isArray(value)) {
      const items = value.map((item, index) => build(item, [...inner, index], originOf(index)));
      return { kind: 'list', items, origin };
    }
    const entries = new Map<string, EffectiveNode>();
    for (const [key, member] of Object.entries(value)) entries.set(key, build(member, [...inner, key], originOf(key)));
    for (const [key, member] of Object.entries(defaultsAt(config, full, Object.keys(value)))) {
      const filled = build(member as Plain, [...inner, key], { from: 'default' });
      if (!isEmpty(filled)) entries.set(key, filled);
    }
    return { kind: 'map', entries, origin };
  };
  return build(raw, [], findOrigin(originsOf, raw, []));
}

/** Nothing at all is what nobody has to be told of. */
function isEmpty(node: EffectiveNode): boolean {
  return (node.kind === 'list' && node.items.length === 0) || (node.kind === 'map' && node.entries.size === 0);
}

function withoutUrlParts(value: EffectiveScalar['shown']): EffectiveScalar['shown'] {
  return typeof value === 'string' ? withoutUrlSecrets(value, () => redacted) : value;
}

/** What the tree may show. */
export function shownValue(node: EffectiveNode, withDefaults = true): Plain {
  switch (node.kind) {
    case 'scalar':
      return node.shown;
    case 'list':
      return node.items.map((item) => shownValue(item, withDefaults));
    case 'map': {
      const entries = [...node.entries].filter(([, { origin }]) => withDefaults || origin.from !== 'default');
      return Object.fromEntries(entries.map(([key, member]) => [key, shownValue(member, withDefaults)]));
    }
  }
}
