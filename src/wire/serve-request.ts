import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Decision } from '../gate/decision.ts';
import type { Gate } from '../gate/gate.ts';
import type { ClientConnection } from './client-connection.ts';
import { Exchange, type ExchangeInput } from './exchange.ts';
import { judgeFraming } from './framing.ts';
import { refuseForGateFault } from './gate-fault.ts';
import { rawHead, readHead } from './read-head.ts';
import { relay } from './relay.ts';
import { ReadableBody } from './request-body.ts';
import type { Handshake } from './tunnel.ts';
import type { UpstreamPools } from './upstream-pool.ts';

export interface ServeInput {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: ClientConnection;
  readonly gate: Gate;
  readonly pools: UpstreamPools;
  /** The client's side of a WebSocket handshake. */
  readonly handshake: Handshake | undefined;
  /** When its head began, on `performance.now`'s clock; undefined: Node does not say, and so the whole head counts. */
  readonly startedMs: number | undefined;
}

/** One request from its head to `gate.finish`: framing, decision, then refusal or relay. */
export function serveRequest(input: ServeInput): void {
  const { request, response, gate, pools } = input;
  const verdict = judgeFraming(rawHead(request), gate.limits);
  if (verdict.kind === 'fault') {
    const { status, detail } = verdict.fault;
    const refused = gate.refuse('requestRefused', detail, { status, close: true });
    // Where the body ends is anyone's guess.
    const exchange = beginExchange(input, {
      head: undefined,
      framing: { kind: 'chunked' },
      expectsContinue: false,
    });
    exchange.decide(refused);
    exchange.answer(refused);
    return;
  }
  const head = readHead(request, gate);
  const { body: framing, expectsContinue } = verdict;
  const exchange = beginExchange(input, { head, framing, expectsContinue });
  let saysContinue = expectsContinue;
  const content = new ReadableBody({
    request,
    framing,
    idleMs: gate.timeouts.idleMs,
    onRead: () => {
      if (saysContinue) response.writeContinue();
      saysContinue = false;
    },
    onBytes: (bytes) => {
      exchange.requestBytes += bytes;
    },
  });
  const obey = (decision: Decision) => {
    exchange.decide(decision);
    if (exchange.over) return;
    if (decision.kind !== 'allowed') {
      exchange.answer(decision);
      return;
    }
    const pool = pools.get(decision.upstream);
    // They are counted as they go on.
    exchange.requestBytes -= content.bytesPutBack;
    const { handshake } = input;
    relay({ exchange, head, allowed: decision, pool, framing, read: content.bytes, saysContinue, handshake });
  };
  const onFault = (error: unknown) => obey(refuseForGateFault(gate, head, error));
  let decision: Decision | Promise<Decision>;
  try {
    decision = gate.decide(head, content);
  } catch (error) {
    onFault(error);
    return;
  }
  if (decision instanceof Promise) void decision.then(obey, onFault);
  else obey(decision);
}

function beginExchange(
  { request, response, connection, gate, startedMs }: ServeInput,
  known: Pick<ExchangeInput, 'head' | 'framing' | 'expectsContinue'>,
): Exchange {
  const exchange = new Exchange({ request, response, connection, gate, startedMs, ...known });
  connection.exchange = exchange;
  return exchange;
}
