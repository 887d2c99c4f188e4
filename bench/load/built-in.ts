import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createAnswerReader } from './answer-reader.ts';
import { frameRequest, type LoadSpec } from './load.ts';
import { tellResult } from './tell-result.ts';

/** The load for machines without wrk: the same work, but it costs about as much CPU as the proxy it measures. */

const spec = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as LoadSpec;
const nextRequest = compileRequests(spec);
const latenciesMs: number[] = [];
const sockets = new Set<Socket>();
let refused = 0;
let socketErrors = 0;
let begin = performance.now();

for (let i = 0; i < spec.connections; i += 1) open();
begin = performance.now();
setTimeout(finish, spec.durationMs);

function open(): void {
  const socket = connectTo(spec);
  sockets.add(socket);
  let sentMs = 0;
  const send = () => {
    const request = nextRequest();
    if (request === undefined) return finish();
    sentMs = performance.now();
    socket.write(request);
  };
  const sendNext = spec.pauseMs === undefined ? send : () => setTimeout(send, Math.random() * 2 * (spec.pauseMs ?? 0));
  const read = createAnswerReader((status) => {
    latenciesMs.push(performance.now() - sentMs);
    if (status >= 400) refused += 1;
    if (spec.connectsAnew !== true) sendNext();
  });
  socket.once(spec.protocol === 'https' ? 'secureConnect' : 'connect', sendNext);
  socket.on('data', read);
  socket.on('error', () => {
    socketErrors += 1;
  });
  socket.on('close', () => {
    sockets.delete(socket);
    open();
  });
}

function connectTo({ port, protocol }: LoadSpec): Socket {
  const place = { port, host: '127.0.0.1', noDelay: true };
  return protocol === 'https' ? connectTls({ ...place, rejectUnauthorized: false }) : connect(place);
}

function finish(): never {
  tellResult({ latenciesMs, durationMs: performance.now() - begin, refused, socketErrors });
}

/** The next request's bytes; undefined when a pool that is used once is used up. */
function compileRequests({ tokens, credentials }: LoadSpec): () => Buffer | undefined {
  const { before, after } = frameRequest(spec);
  const pool = readFileSync(credentials.poolFile, 'latin1').split('\n');
  let sent = 0;
  if (tokens.kind === 'forge') {
    const [token = ''] = pool;
    const cut = token.lastIndexOf('.') + 21;
    return () => {
      sent += 1;
      const forged = token.slice(0, cut) + String(sent).padStart(8, '0') + token.slice(cut + 8);
      return Buffer.from(before + forged + after, 'latin1');
    };
  }
  const requests = pool
    .slice(tokens.from, tokens.from + tokens.count)
    .map((token) => Buffer.from(before + token + after, 'latin1'));
  return () => {
    sent += 1;
    return tokens.kind === 'once' ? requests[sent - 1] : requests[(sent - 1) % requests.length];
  };
}
