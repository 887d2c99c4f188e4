import { createHash } from 'node:crypto';
import { encodePart, joseHeader, signCompact } from './compact-jws.ts';
import { compileJsonTemplate, type JsonTemplate, type SigningValues, type TemplateProblem } from './json-template.ts';
import { findMisuses, type TokenPlan, withTimes } from './registered-members.ts';
import type { SigningKey } from './signing-key.ts';
import type { SigningKeys, SigningSlot } from './signing-keys.ts';
import type { SignedToken, TokenCache } from './token-cache.ts';

export interface SignerSpec extends SigningSlot, TokenPlan {}

/** What signers share, and what outlives them. */
export interface SignerDeps {
  readonly keys: Pick<SigningKeys, 'keyFor' | 'noteSigned'>;
  readonly tokens: TokenCache;
}

/** Makes the tokens of one place in the config. */
export interface Signer extends SigningSlot {
  /** Equal texts: everything but the key is the same. */
  readonly fingerprint: string;
  /** True where header or payload name claims. */
  readonly readsClaims: boolean;
  /** `path.NAME` variables it reads. */
  readonly pathVariables: readonly string[];
  /** At once, unless the key is a slow one; never throws, never rejects. */
  sign(values: SigningValues, nowMs: number): SignResult | Promise<SignResult>;
  /** Equal texts: the tokens say the same of the same subject, whatever their time and `jti`. */
  subjectOf(values: SigningValues): string;
}

export type SignResult = SignedToken | SignFailure;

export interface SignFailure {
  readonly kind: 'failed';
  /** For the log: without any value of a claim. */
  readonly detail: string;
}

/** Compiles one `sign`; all problems at once, each with the path below it. */
export function compileSigner(
  spec: SignerSpec,
  deps: SignerDeps,
): Signer | { readonly problems: readonly TemplateProblem[] } {
  const payload = compileJsonTemplate(withTimes(spec));
  const header = compileJsonTemplate(spec.header);
  const problems = [...findMisuses(spec), ...problemsBelow('payload', payload), ...problemsBelow('header', header)];
  if (problems.length > 0 || 'problems' in payload || 'problems' in header) return { problems };
  return createSigner(spec, payload, header, deps);
}

function createSigner(
  spec: SignerSpec,
  payload: JsonTemplate,
  header: JsonTemplate,
  { keys, tokens }: SignerDeps,
): Signer {
  const { slot, key: ownKey, publishBeforeMs } = spec;
  const once = payload.once || header.once;
  const fingerprint = fingerprintOf(spec);
  const pending = new Map<string, Promise<SignResult>>();
  const encodeHeader = compileHeader(header);

  function sign(values: SigningValues, nowMs: number): SignResult | Promise<SignResult> {
    const key = keys.keyFor(slot, nowMs) ?? ownKey;
    if (once) return mint(key, values, nowMs);
    const use = `${fingerprint} ${key.id} ${subjectOf(values)}`;
    const known = tokens.find(use, nowMs) ?? pending.get(use);
    if (known !== undefined) return known;
    const keep = (result: SignResult): SignResult => {
      if (result.kind === 'signed') tokens.insert(use, result, nowMs);
      return result;
    };
    const minted = mint(key, values, nowMs);
    if (!(minted instanceof Promise)) return keep(minted);
    const late = minted.then(keep).finally(() => pending.delete(use));
    pending.set(use, late);
    return late;
  }

  function mint(key: SigningKey, values: SigningValues, nowMs: number): SignResult | Promise<SignResult> {
    const nowS = Math.floor(nowMs / 1000);
    const encodedHeader = encodeHeader(key, values, nowS);
    if (typeof encodedHeader !== 'string') return encodedHeader;
    const claims = payload.fill(values, nowS);
    if (claims.kind === 'unfillable') return failure(`payload.${claims.detail}`);
    const { exp } = claims.object;
    if (typeof exp !== 'number' || !(exp * 1000 > nowMs)) return failure('payload.exp: not a time to come');
    const expiresAtMs = exp * 1000;
    keys.noteSigned(key, expiresAtMs);
    const finish = (token: string): SignResult => ({ kind: 'signed', token, expiresAtMs });
    try {
      const token = signCompact(key, encodedHeader, encodePart(claims.object));
      return typeof token === 'string' ? finish(token) : token.then(finish, () => brokenKey);
    } catch {
      return brokenKey;
    }
  }

  function subjectOf(values: SigningValues): string {
    return `${payload.inputs(values)};${header.inputs(values)}`;
  }

  const pathVariables = [...payload.pathVariables, ...header.pathVariables];
  const readsClaims = payload.readsClaims || header.readsClaims;
  return { slot, key: ownKey, publishBeforeMs, fingerprint, readsClaims, pathVariables, sign, subjectOf };
}

function failure(detail: string): SignFailure {
  return { kind: 'failed', detail };
}

const brokenKey = failure('the key cannot make a signature');

type EncodeHeader = (key: SigningKey, values: SigningValues, nowS: number) => string | SignFailure;

/** A header that never changes is encoded once a key. */
function compileHeader(header: JsonTemplate): EncodeHeader {
  let last: { readonly keyId: string; readonly encoded: string } | undefined;
  return (key, values, nowS) => {
    if (last?.keyId === key.id) return last.encoded;
    const extra = header.fill(values, nowS);
    if (extra.kind === 'unfillable') return failure(`header.${extra.detail}`);
    const encoded = encodePart(joseHeader(key, extra.object));
    if (header.constant) last = { keyId: key.id, encoded };
    return encoded;
  };
}

/** Everything but key and claims that makes two signers' tokens the same: such tokens may be shared, also across reloads. */
function fingerprintOf(spec: SignerSpec): string {
  return createHash('sha256')
    .update(JSON.stringify([withTimes(spec), spec.header]))
    .digest('base64url');
}

function problemsBelow(root: string, compiled: ReturnType<typeof compileJsonTemplate>): TemplateProblem[] {
  if (!('problems' in compiled)) return [];
  return compiled.problems.map(({ path, problem }) => ({ path: `${root}.${path}`, problem }));
}
