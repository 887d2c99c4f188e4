// A process that holds nothing but a front door toward the port of its first argument, and tells its memory when asked.
import { createFrontDoor } from '../../src/wire/front-door.ts';
import { upstreamAt } from '../support/upstream.ts';
import { fakeGate } from './fake-gate.ts';

const gate = fakeGate({ upstream: upstreamAt(Number(process.argv[2])) });
const door = await createFrontDoor({ listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, gate: () => gate });
process.on('message', () => process.send?.({ rss: process.memoryUsage.rss() }));
process.send?.({ port: door.address.kind === 'tcp' ? door.address.port : 0 });
