import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { http2Streams, type LoadResult, type LoadSpec } from './load.ts';

/** The load of HTTP/2 for machines without h2load: the same work, at several times its cost. */

const spec = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as LoadSpec;
const [token = ''] = readFileSync(spec.credentials.poolFile, 'latin1').split('\n', 1);
const headers = { ':path': spec.path, authorization: `Bearer ${token}`, accept: '*/*', 'user-agent': 'bench/1' };
const latenciesMs: number[] = [];
let refused = 0;
let socketErrors = 0;

const begin = performance.now();
const endMs = begin + spec.durationMs;
const sessions = Array.from({ length: spec.connections }, () => {
  const session = connect(`https://127.0.0.1:${spec.port}`, { rejectUnauthorized: false, servername: 'bench.example' });
  session.on('error', () => {
    socketErrors += 1;
  });
  return session;
});
await Promise.all(sessions.flatMap((session) => Array.from({ length: http2Streams }, () => requestInTurn(session))));
const sorted = latenciesMs.toSorted((a, b) => a - b);
const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
const durationMs = performance.now() - begin;
const result: LoadResult = {
  requests: sorted.length,
  durationMs,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  refused,
  socketErrors,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

async function requestInTurn(session: ClientHttp2Session): Promise<void> {
  while (performance.now() < endMs && !session.destroyed) await request(session);
}

function request(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    const sentMs = performance.now();
    const stream = session.request(headers);
    stream.on('response', ({ ':status': status }) => {
      if (Number(status) >= 400) refused += 1;
    });
    stream.on('error', () => undefined);
    stream.on('end', () => latenciesMs.push(performance.now() - sentMs));
    stream.on('close', resolve);
    stream.resume();
  });
}
