import type { Socket } from 'node:net';
import type { Gate } from '../../gate/gate.ts';
import { serializeAnswer } from '../answer.ts';
import { closeLingering } from '../linger.ts';

const body = 'This port speaks HTTPS alone: write https:// in place of http://\n';

/** Whoever speaks plain HTTP where TLS is spoken is told so, in plain HTTP; whoever speaks neither is hung up on. */
export function refusePlainHttp(socket: Socket, first: Buffer, gate: Gate): void {
  const looksLikeHttp = /^[A-Z]{3,}/.test(first.toString('latin1', 0, 8));
  if (!looksLikeHttp) {
    socket.destroy();
    return;
  }
  const detail = 'plain HTTP, where the listener speaks TLS';
  const refused = gate.refuse('requestRefused', detail, { status: 400, close: true });
  socket.write(serializeAnswer({ ...refused, headers: ['Content-Type', 'text/plain; charset=utf-8'], body }));
  closeLingering(socket);
  gate.finish({
    head: undefined,
    decision: refused,
    lane: 'node',
    status: refused.status,
    requestBytes: 0,
    responseBytes: Buffer.byteLength(body),
    durationMs: 0,
    upstreamMs: undefined,
    end: 'complete',
  });
}
