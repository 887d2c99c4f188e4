import { algorithmNames, isSymmetric } from '../keys/algorithms.ts';
import { findNearest } from './did-you-mean.ts';
import { complainIn, type Load, type TenantSection } from './model.ts';

/** HS256 is all that a tenant whose only key is a secret can have meant: no other kind of key is there to be confused. */
const soleSecretDefault: ReadonlySet<string> = new Set(['HS256']);
const none: ReadonlySet<string> = new Set();
const known: ReadonlySet<string> = new Set(algorithmNames);

/** The algorithms a tenant accepts; empty, with a problem, where the config does not say or says something unknown. */
export function compileAlgorithms(tenant: TenantSection, load: Load): ReadonlySet<string> {
  const { algorithms, secret, keys, jwks, discovery } = tenant.config;
  if (algorithms === undefined) {
    if (keys === undefined && jwks === undefined && discovery === undefined) {
      return secret === undefined ? none : soleSecretDefault;
    }
    const kind = ['keys', 'jwks', 'discovery'].find((name) => tenant.raw[name] !== undefined) as string;
    const hint = 'e.g. algorithms: [RS256]; a token never chooses by itself';
    complainIn(load, tenant, [kind], { message: 'needs algorithms beside it', hint }, 'error', 'key');
    return none;
  }
  const isList = Array.isArray(tenant.raw.algorithms);
  for (const [index, name] of algorithms.entries()) {
    if (known.has(name)) continue;
    const path = isList ? ['algorithms', index] : ['algorithms'];
    if (name.toLowerCase() === 'none') {
      complainIn(load, tenant, path, { message: 'tokens without a signature are never accepted' });
      continue;
    }
    const nearest = findNearest(name, algorithmNames);
    const hint = nearest === undefined ? `known: ${algorithmNames.join(', ')}` : `did you mean "${nearest}"?`;
    complainIn(load, tenant, path, { message: 'is no signature algorithm', hint });
  }
  const accepted = shared(algorithms.filter((name) => known.has(name)));
  checkKinds(tenant, accepted, load);
  return accepted;
}

/** Thousands of tenants have the same few lists: one set each. */
const sets = new Map<string, ReadonlySet<string>>();

function shared(names: readonly string[]): ReadonlySet<string> {
  const key = names.toSorted().join();
  let set = sets.get(key);
  if (set === undefined) {
    set = new Set(names);
    sets.set(key, set);
  }
  return set;
}

/** Every algorithm needs a key that could serve it, and every key an algorithm. */
function checkKinds(tenant: TenantSection, accepted: ReadonlySet<string>, load: Load): void {
  const { secret, keys, jwks, discovery } = tenant.config;
  const symmetric = [...accepted].filter(isSymmetric);
  const asymmetric = [...accepted].filter((name) => !isSymmetric(name));
  // A JWK may be a secret, too; an inline or file set as well.
  const mayHoldSecret =
    secret !== undefined || keys?.some(({ kind }) => kind !== 'pem') || (jwks !== undefined && jwks.url === undefined);
  const mayHoldPublic = keys !== undefined || jwks !== undefined || discovery !== undefined;
  const say = (path: string, message: string, hint?: string) => complainIn(load, tenant, [path], { message, hint });
  if (symmetric.length > 0 && !mayHoldSecret)
    say('algorithms', `${symmetric.join(', ')} needs a secret, and there is none`);
  if (asymmetric.length > 0 && !mayHoldPublic && secret !== undefined) {
    say('algorithms', `${asymmetric.join(', ')} needs public keys, and there is only a secret`);
  }
  if (secret !== undefined && symmetric.length === 0 && accepted.size > 0) {
    say('secret', `goes with HS256, HS384 or HS512, and algorithms has none of them`);
  }
  if (symmetric.length > 0 && asymmetric.length > 0) {
    const message = 'accepts shared secrets and public keys at once';
    const hint = 'each key keeps to its own kind, but who knows the secret can make tokens: part them into two tenants';
    complainIn(load, tenant, ['algorithms'], { message, hint }, 'warning');
  }
}
