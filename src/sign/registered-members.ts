import type { Json, JsonObject } from '../gate/token.ts';
import { findBareWord } from './bare-word.ts';
import type { TemplateProblem } from './json-template.ts';

/** What a config says of a token, before it is compiled. */
export interface TokenPlan {
  /** Extra JOSE header members; strings may hold placeholders, as in `payload`. */
  readonly header: JsonObject;
  /** With `${…}`, `now`, `+5m` and `uuid`; `$$` is a dollar. */
  readonly payload: JsonObject;
  /** Sets `exp`; undefined: five minutes, unless the payload has its own. */
  readonly lifetimeMs?: number | undefined;
}

const defaultLifetimeMs = 300_000;

/** The payload with the times that it does not set itself: every token says when it was made and when it ends. */
export function withTimes({ payload, lifetimeMs = defaultLifetimeMs }: TokenPlan): JsonObject {
  return { iat: 'now', exp: `+${Math.ceil(lifetimeMs / 1000)}s`, ...payload };
}

/** Members that say how to verify: ours alone to set. */
export const reservedHeaderMembers: ReadonlyMap<string, string> = new Map([
  ['alg', 'follows from algorithm'],
  ['kid', 'is set beside algorithm, by kid'],
  ['crit', 'would demand extensions that are not applied (RFC 7515 section 4.1.11)'],
  ['b64', 'would change what the signature covers (RFC 7797)'],
]);

/** Header members and times (RFC 7519 section 4.1) that can't be as the config has them. */
export function findMisuses({ header, payload, lifetimeMs }: TokenPlan): TemplateProblem[] {
  const problems = Object.keys(header).flatMap((name) => {
    const why = reservedHeaderMembers.get(name);
    return why === undefined ? [] : [{ path: `header.${name}`, problem: `${name} ${why}` }];
  });
  for (const name of ['iat', 'nbf', 'exp'] as const) {
    const value = Object.hasOwn(payload, name) ? payload[name] : undefined;
    if (value !== undefined && !isTime(name, value)) {
      const words = name === 'exp' ? '+5m or the like' : 'now, +5m or the like';
      problems.push({
        path: `payload.${name}`,
        problem: `write ${words}, or a placeholder such as \${claims.${name}}`,
      });
    }
  }
  if (lifetimeMs !== undefined && Object.hasOwn(payload, 'exp')) {
    problems.push({ path: 'lifetime', problem: "the payload's exp says it already: leave one of them out" });
  }
  if (lifetimeMs !== undefined && lifetimeMs < 1000) {
    problems.push({ path: 'lifetime', problem: 'tokens live for a second at least' });
  }
  return problems;
}

/** A fixed time would be over one day: it is a lifetime, or a time of another clock, in the wrong place. */
function isTime(name: 'iat' | 'nbf' | 'exp', value: Json): boolean {
  if (typeof value !== 'string') return false;
  if (value.startsWith('${')) return true;
  const word = findBareWord(value);
  return word !== undefined && !word.once && (name !== 'exp' || value !== 'now');
}
