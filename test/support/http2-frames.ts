import type { TLSSocket } from 'node:tls';
import { testCertificates } from './certificates.ts';
import { connectTls } from './tls.ts';
import { until } from './until.ts';

/** Frames of HTTP/2 by hand, for what no honest client sends (RFC 9113 section 6). */
const types = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
] as const;
export type FrameType = (typeof types)[number];

export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4 } as const;

export interface Frame {
  readonly type: FrameType | 'other';
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(
  type: FrameType,
  flagBits: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = types.indexOf(type);
  head[4] = flagBits;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header block of literal fields, never indexed (RFC 7541 section 6.2.2); names and values as they are. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0x00]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([length(bytes.length), bytes]);
}

/** RFC 7541 section 5.1, with a prefix of seven bits. */
function length(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** A GET of this path, and more fields behind it. */
export function getRequest(path: string, more: readonly (readonly [string, string])[] = []): [string, string][] {
  const pseudo: [string, string][] = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', path],
    [':authority', 'gate.example'],
  ];
  return [...pseudo, ...more.map(([name, value]): [string, string] => [name, value])];
}

/** The head of a request, which ends there unless told otherwise: HEADERS, and CONTINUATION where it is long. */
export function headersFrame(stream: number, fields: readonly (readonly [string, string])[], endStream = true): Buffer {
  const block = headerBlock(fields);
  const end = endStream ? flags.endStream : 0;
  if (block.length <= mostFrameBytes) return frame('HEADERS', flags.endHeaders | end, stream, block);
  const frames = [frame('HEADERS', end, stream, block.subarray(0, mostFrameBytes))];
  for (let at = mostFrameBytes; at < block.length; at += mostFrameBytes) {
    const isLast = at + mostFrameBytes >= block.length;
    const piece = block.subarray(at, at + mostFrameBytes);
    frames.push(frame('CONTINUATION', isLast ? flags.endHeaders : 0, stream, piece));
  }
  return Buffer.concat(frames);
}

/** RFC 9113 section 6.5.2: what may be sent unasked. */
const mostFrameBytes = 16_384;

export interface FrameClient {
  readonly socket: TLSSocket;
  /** All that came, in order. */
  readonly frames: readonly Frame[];
  readonly isClosed: boolean;
  send(...frames: readonly Buffer[]): void;
  /** The first frame of this type (and stream), once it is there. */
  got(type: FrameType, stream?: number, withinMs?: number): Promise<Frame>;
  closed(withinMs?: number): Promise<void>;
  destroy(): void;
}

/** A client that has sent its preface and settings, and nothing else by itself. */
export async function openFrameClient(port: number, ca = testCertificates().ca): Promise<FrameClient> {
  const socket = await connectTls({ port, ca, ALPNProtocols: ['h2'] });
  socket.on('error', () => undefined);
  const frames: Frame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      frames.push({
        type: types[rest[3] as number] ?? 'other',
        flags: rest[4] as number,
        stream: rest.readUInt32BE(5),
        payload: rest.subarray(9, end),
      });
      rest = rest.subarray(end);
    }
  });
  socket.on('close', () => {
    isClosed = true;
  });
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame('SETTINGS', 0, 0));
  const find = (type: FrameType, stream: number | undefined) =>
    frames.find((one) => one.type === type && (stream === undefined || one.stream === stream));
  return {
    socket,
    frames,
    get isClosed() {
      return isClosed;
    },
    send: (...all) => void socket.write(Buffer.concat(all)),
    async got(type, stream, withinMs) {
      await until(`${type} on stream ${stream}`, () => find(type, stream) !== undefined || isClosed, withinMs);
      const found = find(type, stream);
      if (found === undefined) throw new Error(`closed without ${type} on stream ${stream}`);
      return found;
    },
    closed: (withinMs) => until('the connection is closed', () => isClosed, withinMs),
    destroy: () => void socket.destroy(),
  };
}
