import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { http2Streams, type LoadSpec } from './load.ts';
import { tellResult } from './tell-result.ts';

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
tellResult({ latenciesMs, durationMs: performance.now() - begin, refused, socketErrors });

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
