import { compilePattern } from '../cel/pattern.ts';
import { type ClaimPath, findClaim } from '../template/claim-path.ts';
import type { TokenChecks } from './policy.ts';
import type { Reason } from './reasons.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { Json, JsonObject } from './token.ts';

export { type ClaimPath, findClaim, parseClaimPath } from '../template/claim-path.ts';

/** A scalar as the text that a path, query or header would write it in; undefined for what has no single such text. */
export function scalarText(value: Json | undefined): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      // Beyond 2^53 JSON.parse has already rounded: two ids could become one.
      return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? String(value) : undefined;
    case 'boolean':
      return String(value);
    default:
      return undefined;
  }
}

/** config.md's condition forms; the members of an object must all hold. */
export type ClaimCondition =
  | string
  | number
  | boolean
  | null
  | {
      readonly oneOf?: readonly Json[] | undefined;
      readonly contains?: Json | readonly Json[] | undefined;
      readonly matches?: string | undefined;
      readonly equals?: Json | undefined;
    };

export interface ClaimCheck {
  readonly path: ClaimPath;
  /** Path and condition in the config's words: for the log. */
  readonly text: string;
  readonly test: (claims: JsonObject) => boolean;
}

type ValueTest = (value: Json | undefined) => boolean;

/**
 * Compiles one entry of `claims`. `matches` is a linear-time RE2 expression that the whole string must match: one of bounded
 * size, and no string is looked at that is too long for it.
 */
export function compileClaimCheck(
  path: ClaimPath,
  condition: ClaimCondition,
): ClaimCheck | { readonly problem: string } {
  const test = compileCondition(condition);
  if (typeof test !== 'function') return test;
  return {
    path,
    text: `${path.join('.')}: ${JSON.stringify(condition)}`,
    test: (claims) => test(findClaim(claims, path)),
  };
}

function compileCondition(condition: ClaimCondition): ValueTest | { readonly problem: string } {
  if (condition === 'required') return (value) => value !== undefined && value !== null && value !== '';
  if (condition === 'absent') return (value) => value === undefined;
  if (typeof condition !== 'object' || condition === null) return (value) => value === condition;
  const tests: ValueTest[] = [];
  if (condition.oneOf !== undefined) {
    const allowed = condition.oneOf;
    tests.push((value) => value !== undefined && allowed.some((one) => sameJson(one, value)));
  }
  if (condition.contains !== undefined) {
    const wanted = Array.isArray(condition.contains) ? condition.contains : [condition.contains as Json];
    tests.push((value) => wanted.every((one) => containsValue(value, one)));
  }
  if (condition.matches !== undefined) {
    const pattern = compilePattern(condition.matches);
    if ('problem' in pattern) return { problem: `matches ${pattern.problem}` };
    tests.push((value) => typeof value === 'string' && pattern.matchesAll(value));
  }
  if (condition.equals !== undefined) {
    const wanted = condition.equals;
    tests.push((value) => value !== undefined && sameJson(wanted, value));
  }
  if (tests.length === 0) return { problem: 'a condition names oneOf, contains, matches or equals' };
  return (value) => tests.every((test) => test(value));
}

/** A list holds the value; a string holds it as one of its space-delimited words (RFC 8693 `scope`). */
function containsValue(value: Json | undefined, wanted: Json): boolean {
  if (Array.isArray(value)) return value.some((one) => sameJson(one, wanted));
  return typeof value === 'string' && typeof wanted === 'string' && value.split(' ').includes(wanted);
}

/** Deep equality of JSON values; member order does not matter. */
export function sameJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameJson(item, b[index] as Json))
    );
  }
  const [left, right] = [a as JsonObject, b as JsonObject];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && sameJson(left[name] as Json, right[name] as Json))
  );
}

export interface CheckFailure {
  readonly reason: Extract<Reason, 'tokenMalformed' | 'tokenExpired' | 'tokenNotYetValid' | 'claimRefused'>;
  readonly detail: string;
}

/**
 * The registered claims of a verified token against the tenant's checks (RFC 7519 section 4.1, RFC 8725 section 3.8 to
 * 3.11), judged on every request, cached verdict or not. `nowS` is in seconds, with fractions.
 */
export function checkRegisteredClaims(
  header: JsonObject,
  claims: JsonObject,
  checks: TokenChecks,
  nowS: number,
  rehearsal?: Rehearsal,
): CheckFailure | undefined {
  rehearsal?.at('time');
  return checkTimes(claims, checks, nowS) ?? checkParties(header, claims, checks, rehearsal);
}

function checkTimes(claims: JsonObject, checks: TokenChecks, nowS: number): CheckFailure | undefined {
  const { exp, nbf, iat } = claims;
  const { clockSkewS, maxAgeS } = checks;
  if (!isTime(exp)) return { reason: 'tokenMalformed', detail: 'exp is not a number' };
  if (!isTime(nbf)) return { reason: 'tokenMalformed', detail: 'nbf is not a number' };
  if (!isTime(iat)) return { reason: 'tokenMalformed', detail: 'iat is not a number' };
  if (exp === undefined && checks.requireExp) {
    return refused('the token has no exp, and the tenant requires one (requireExp: false to accept)');
  }
  if (exp !== undefined && nowS >= exp + clockSkewS) {
    return { reason: 'tokenExpired', detail: `expired ${Math.floor(nowS - exp)} s ago` };
  }
  if (nbf !== undefined && nowS < nbf - clockSkewS) {
    return { reason: 'tokenNotYetValid', detail: `valid in ${Math.ceil(nbf - nowS)} s (nbf)` };
  }
  if (maxAgeS === undefined) return undefined;
  if (iat === undefined) return refused('the token has no iat, which maxAge needs');
  if (nowS < iat - clockSkewS) {
    return { reason: 'tokenNotYetValid', detail: `issued ${Math.ceil(iat - nowS)} s in the future (iat)` };
  }
  if (nowS > iat + maxAgeS + clockSkewS) {
    return {
      reason: 'tokenExpired',
      detail: `issued ${Math.floor(nowS - iat)} s ago, maxAge ${maxAgeS} s`,
    };
  }
  return undefined;
}

function isTime(claim: Json | undefined): claim is number | undefined {
  return claim === undefined || (typeof claim === 'number' && Number.isFinite(claim));
}

function checkParties(
  header: JsonObject,
  claims: JsonObject,
  checks: TokenChecks,
  rehearsal: Rehearsal | undefined,
): CheckFailure | undefined {
  const { issuers, subjects, audiences, types } = checks;
  if (types !== undefined) rehearsal?.at('type');
  if (types !== undefined && !types.includes(mediaType(header.typ))) {
    return refused(`typ is ${shown(header.typ)}, the config wants ${types.join(' or ')}`);
  }
  if (issuers !== undefined) rehearsal?.at('issuer');
  if (issuers !== undefined && !isOneOf(claims.iss, issuers)) {
    return refused(`iss is ${shown(claims.iss)}, the config wants ${issuers.join(' or ')}`);
  }
  if (subjects !== undefined) rehearsal?.at('subject');
  if (subjects !== undefined && !isOneOf(claims.sub, subjects)) {
    return refused(`sub is not one the config names`);
  }
  if (audiences !== undefined) {
    rehearsal?.at('audience');
    const { aud } = claims;
    const isNamed = Array.isArray(aud) ? aud.some((one) => isOneOf(one, audiences)) : isOneOf(aud, audiences);
    if (!isNamed) {
      return refused(`aud is ${shown(aud)}, the config wants ${audiences.join(' or ')}`);
    }
  }
  return undefined;
}

function refused(detail: string): CheckFailure {
  return { reason: 'claimRefused', detail };
}

function isOneOf(value: Json | undefined, wanted: readonly string[]): boolean {
  return typeof value === 'string' && wanted.includes(value);
}

/** RFC 7515 section 4.1.9: "application/" may be left out, and letter case does not matter. */
export function mediaType(typ: Json | undefined): string {
  if (typeof typ !== 'string') return '';
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
}

/** A value for the log: bounded, and never more than this one. */
export function shown(value: Json | undefined): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
