import { randomBytes } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';

export type DemoTenant = 'acme' | 'globex' | 'initech';

/** The demo's three tenants: their keys, made in memory for this one run, and all that anybody else may know of them. */
export interface Cast {
  /** acme's shared secret, base64. */
  readonly acmeSecret: string;
  /** What globex publishes at its JWKS URL. */
  readonly globexKeys: { readonly keys: readonly JWK[] };
  /** initech's public key, PEM. */
  readonly initechPublicKey: string;
  /** A token of this tenant; `expiresInS` may lie in the past. */
  mint(tenant: DemoTenant, expiresInS: number, subject?: string): Promise<string>;
}

export const globexIssuer = 'https://id.globex.example/';
export const globexAudience = 'legacy-api';

/** Who signs in at each tenant, and with what rights. */
export const people: Readonly<Record<DemoTenant, { readonly sub: string; readonly role: string }>> = {
  acme: { sub: 'alice', role: 'editor' },
  globex: { sub: 'hank', role: 'admin' },
  initech: { sub: 'peter', role: 'viewer' },
};

const globexKid = 'globex-1';

/** Makes all keys and secrets. */
export async function createCast(): Promise<Cast> {
  const secret = randomBytes(32);
  const globex = await generateKeyPair('RS256');
  const initech = await generateKeyPair('EdDSA');
  const signers = {
    acme: { key: secret, header: { alg: 'HS256' }, claims: {} },
    globex: {
      key: globex.privateKey,
      header: { alg: 'RS256', kid: globexKid },
      claims: { iss: globexIssuer, aud: globexAudience },
    },
    initech: { key: initech.privateKey, header: { alg: 'EdDSA' }, claims: {} },
  };
  return {
    acmeSecret: secret.toString('base64'),
    globexKeys: { keys: [{ ...(await exportJWK(globex.publicKey)), kid: globexKid, alg: 'RS256', use: 'sig' }] },
    initechPublicKey: await exportSPKI(initech.publicKey),
    mint(tenant, expiresInS, subject = people[tenant].sub) {
      const { key, header, claims } = signers[tenant];
      const nowS = Math.floor(Date.now() / 1000);
      return new SignJWT({ ...claims, sub: subject, role: people[tenant].role, exp: nowS + expiresInS })
        .setProtectedHeader(header)
        .sign(key);
    },
  };
}
