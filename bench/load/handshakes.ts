import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, createSecureContext } from 'node:tls';
import { createAnswerReader } from './answer-reader.ts';
import { frameRequest, type LoadSpec } from './load.ts';
import { tellResult } from './tell-result.ts';

/**
 * Connections that serve one request each, by TLS 1.3: with a full handshake, or with a session of the connection
 * before. The key exchange is X25519 for all: not every target's OpenSSL knows the hybrid one that Node would prefer.
 */

const spec = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as LoadSpec;
const resumes = spec.protocol === 'resumption';
const { before, after } = frameRequest(spec);
const tokens = readFileSync(spec.credentials.poolFile, 'latin1').split(
  '\n',
  spec.tokens.kind === 'cycle' ? spec.tokens.count : 1,
);
const options: ConnectionOptions = {
  port: spec.port,
  host: '127.0.0.1',
  servername: 'bench.example',
  secureContext: createSecureContext({ minVersion: 'TLSv1.3', ecdhCurve: 'X25519' }),
  ALPNProtocols: ['http/1.1'],
  // A certificate made for this run.
  rejectUnauthorized: false,
};
const latenciesMs: number[] = [];
let sent = 0;
let refused = 0;
let socketErrors = 0;
let notAsWanted = 0;

// Sessions to begin with, which are not counted.
const first = await Promise.all(Array.from({ length: resumes ? spec.connections : 0 }, () => visit(undefined)));
latenciesMs.length = 0;
notAsWanted = 0;
const begin = performance.now();
const endMs = begin + spec.durationMs;
await Promise.all(Array.from({ length: spec.connections }, (_, index) => connectInTurn(first[index])));
// A session that was not resumed, or one that was where none should be, is no measurement.
tellResult({ latenciesMs, durationMs: performance.now() - begin, refused: refused + notAsWanted, socketErrors });

async function connectInTurn(begun: Buffer | undefined): Promise<void> {
  for (let session = begun; performance.now() < endMs; ) session = await visit(session);
}

/** One connection with one request; the session that the next may resume. */
function visit(session: Buffer | undefined): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    let next: Buffer | undefined;
    const socket = connect({ ...options, session: resumes ? session : undefined });
    socket.on('session', (ticket: Buffer) => {
      next = ticket;
    });
    socket.on('error', () => {
      socketErrors += 1;
    });
    socket.on('close', () => resolve(resumes ? next : undefined));
    socket.on('secureConnect', () => {
      if (socket.isSessionReused() !== (session !== undefined)) notAsWanted += 1;
    });
    socket.on(
      'data',
      createAnswerReader((status) => {
        latenciesMs.push(performance.now() - startMs);
        if (status >= 400) refused += 1;
        socket.end();
      }),
    );
    socket.write(`${before}${tokens[sent++ % tokens.length]}${after}`);
  });
}
