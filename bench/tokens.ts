import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CryptoKey, exportSPKI, generateKeyPair, SignJWT } from 'jose';

export const algorithms = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof algorithms)[number];

/** What every target is told to verify with, and the tokens that fit. */
export interface Credentials {
  readonly algorithm: Algorithm;
  /** HS256: the secret as text; undefined for the others. */
  readonly secret: string | undefined;
  /** A file with the secret or the public key in PEM. */
  readonly keyFile: string;
  /** One token a line: the first `cachedTokens` are for cached work, the rest are used once a round. */
  readonly poolFile: string;
  readonly poolSize: number;
  readonly expired: string;
}

/** Distinct users whose tokens the cached cases cycle through: more than connections, less than any cache. */
export const cachedTokens = 256;

export const issuer = 'https://id.bench.example/';
export const audience = 'bench';

const nineYearsS = 9 * 365 * 86_400;
const mintAtOnce = 500;

/** Makes keys in memory, writes the verifying half and `cachedTokens + freshTokens` distinct tokens to `directory`. */
async function mintCredentials(algorithm: Algorithm, freshTokens: number, directory: string): Promise<Credentials> {
  const name = algorithm.toLowerCase();
  const keyFile = join(directory, `${name}.key`);
  const secret = algorithm === 'HS256' ? randomBytes(24).toString('hex') : undefined;
  const signingKey = secret === undefined ? await makeKeyPair(algorithm, keyFile) : new TextEncoder().encode(secret);
  if (secret !== undefined) writeFileSync(keyFile, secret);

  const poolSize = cachedTokens + freshTokens;
  const tokens: string[] = [];
  while (tokens.length < poolSize) {
    const count = Math.min(mintAtOnce, poolSize - tokens.length);
    const batch = Array.from({ length: count }, (_, i) => mint(algorithm, signingKey, tokens.length + i, nineYearsS));
    tokens.push(...(await Promise.all(batch)));
  }
  const poolFile = join(directory, `${name}.tokens`);
  writeFileSync(poolFile, `${tokens.join('\n')}\n`);
  return { algorithm, secret, keyFile, poolFile, poolSize, expired: await mint(algorithm, signingKey, 0, -3600) };
}

/** Credentials for every algorithm, each with its number of fresh tokens. */
export async function mintAll(
  freshTokens: Readonly<Record<Algorithm, number>>,
  directory: string,
): Promise<Record<Algorithm, Credentials>> {
  const entries: [Algorithm, Credentials][] = [];
  for (const algorithm of algorithms) {
    entries.push([algorithm, await mintCredentials(algorithm, freshTokens[algorithm], directory)]);
  }
  return Object.fromEntries(entries) as Record<Algorithm, Credentials>;
}

async function makeKeyPair(algorithm: Algorithm, publicKeyFile: string): Promise<CryptoKey> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  writeFileSync(publicKeyFile, await exportSPKI(pair.publicKey));
  return pair.privateKey;
}

/** A token as an identity provider would issue it; `lifetimeS` may be negative. */
function mint(algorithm: Algorithm, key: CryptoKey | Uint8Array, user: number, lifetimeS: number): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  return new SignJWT({
    name: `User Number ${user}`,
    email: `user-${user}@bench.example`,
    roles: ['reader', 'editor'],
    scope: 'accounts.read accounts.write',
  })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: `${algorithm.toLowerCase()}-1` })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(`user-${user}`)
    .setIssuedAt(nowS - 7200)
    .setExpirationTime(nowS + lifetimeS)
    .sign(key);
}
