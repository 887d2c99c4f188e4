import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { jwtVerify } from 'jose';
import { type Algorithm, algorithms, audience, issuer } from '../tokens.ts';

/** What a peer is told on its command line, as JSON. */
export interface PeerOptions {
  readonly port: number;
  readonly upstreamPort: number;
  readonly keyFiles: Readonly<Record<Algorithm, string>>;
}

export function readPeerOptions(): PeerOptions {
  return JSON.parse(process.argv[2] as string) as PeerOptions;
}

/** What most people write with jose: verify each request's bearer token, swap the identity headers, or answer 401. */
export function createVerifier(options: PeerOptions): (request: IncomingMessage) => Promise<boolean> {
  const keys = new Map<string, { algorithm: Algorithm; key: KeyObject }>();
  for (const algorithm of algorithms) {
    const bytes = readFileSync(options.keyFiles[algorithm]);
    const key = algorithm === 'HS256' ? createSecretKey(bytes) : createPublicKey(bytes);
    keys.set(algorithm.toLowerCase(), { algorithm, key });
  }
  return async (request) => {
    const tenant = request.url?.split('/', 2)[1] ?? '';
    const entry = keys.get(tenant);
    const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (entry === undefined || token === undefined) return false;
    try {
      const { payload } = await jwtVerify(token, entry.key, { algorithms: [entry.algorithm], issuer, audience });
      request.headers['x-jwt-tenant'] = tenant;
      request.headers['x-jwt-subject'] = payload.sub;
      request.headers['x-user-email'] = String(payload.email);
      return true;
    } catch {
      return false;
    }
  };
}
