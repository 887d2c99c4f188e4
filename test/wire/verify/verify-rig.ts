import { onTestFinished } from 'vitest';
import { createGate } from '../../../src/gate/create-gate.ts';
import type { FrontName } from '../../../src/gate/fronts.ts';
import type { Gate, Outcome } from '../../../src/gate/gate.ts';
import { createVerifyListener, type VerifyListener } from '../../../src/wire/verify/listener.ts';
import { loadSound } from '../../support/config-files.ts';
import { openRawClient, type ParsedResponse, type RawClient, rawRequest } from '../../support/raw-client.ts';
import { secretOf } from '../../support/running-gate.ts';
import { keepingCache } from '../../support/verdicts.ts';

/** One tenant of everything that matters to a front. */
export const tenantsText = `
upstream: http://127.0.0.1:1
trustedProxies: [127.0.0.1, unix]
tenants:
  acme:
    match: {path: /acme/**}
    secret: ${secretOf('acme')}
    algorithms: [HS256]
    headers: {X-User-Id: "\${claims.sub}", X-User-Email: "\${claims.email}"}
    routes:
      - {path: /acme/public/**, access: public}
      - {path: /acme/open/**, access: optional}
      - {path: /acme/normal/**, normalizePath: true}
      - {path: /acme/read/**, methods: [GET], access: public}
  bodied:
    match: {path: /bodied/**}
    secret: ${secretOf('bodied')}
    algorithms: [HS256]
    bind: {sub: body./user}
  asked:
    match: {path: /asked/**}
    secret: ${secretOf('asked')}
    algorithms: [HS256]
    token: {query: jwt}
  baked:
    match: {path: /baked/**}
    secret: ${secretOf('baked')}
    algorithms: [HS256]
    token: [{cookie: session}, {header: X-Token}]
    forwardToken: strip
  paged:
    match: {path: /paged/**}
    secret: ${secretOf('paged')}
    algorithms: [HS256]
    cors: {origins: ["https://app.example"]}
  socketed:
    match: {path: /socketed/**}
    secret: ${secretOf('socketed')}
    algorithms: [HS256]
    token: {websocketProtocol: "jwt."}
  watched:
    match: {path: /watched/**}
    secret: ${secretOf('watched')}
    algorithms: [HS256]
    mode: report
  hosted:
    match: {host: api.example}
    secret: ${secretOf('hosted')}
    algorithms: [HS256]
`;

export interface GateRig {
  readonly gate: Gate;
  readonly outcomes: Outcome[];
}

export async function gateOf(text: string = tenantsText): Promise<GateRig> {
  const { policy, release } = await loadSound(text);
  onTestFinished(release);
  const outcomes: Outcome[] = [];
  let count = 0;
  const gate = createGate({
    policy,
    verdicts: keepingCache({ entries: 100, bytes: 1_000_000 }),
    now: Date.now,
    newRequestId: () => `test-${++count}`,
    onFinish: (outcome) => outcomes.push(outcome),
  });
  return { gate, outcomes };
}

export interface VerifyRig extends GateRig {
  readonly listener: VerifyListener;
  readonly port: number;
  client(): Promise<RawClient>;
  /** One question on a connection of its own; lines without their ends. */
  ask(...lines: string[]): Promise<ParsedResponse>;
}

/** A listener for one kind of front before a real gate; closed when the test is over. */
export async function startVerify(front: FrontName, text?: string): Promise<VerifyRig> {
  const rig = await gateOf(text);
  const listen = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  const listener = await createVerifyListener({ listen, front, gate: () => rig.gate });
  onTestFinished(() => listener.close({ drainMs: 0 }));
  if (listener.address.kind !== 'tcp') throw new Error('not a TCP listener');
  const { port } = listener.address;
  return {
    ...rig,
    listener,
    port,
    async client() {
      const client = await openRawClient({ port });
      onTestFinished(() => client.destroy());
      return client;
    },
    ask: (...lines) => rawRequest({ port }, `${lines.join('\r\n')}\r\n\r\n`),
  };
}
