import { type BodyPiece, createChunkedReader } from '../../../src/wire/fast/chunked.ts';
import { type BodyReader, LengthReader, noBodyReader } from '../../../src/wire/fast/framing.ts';
import { type CanonicalHead, parseRequestHead } from '../../../src/wire/fast/head-parser.ts';
import { readChunked } from '../../support/raw-client.ts';

export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string;
}

export interface LaneReading {
  /** Whole canonical requests, one behind the other. */
  readonly requests: readonly SeenRequest[];
  /** Offset behind the last of them. */
  readonly end: number;
  /** What stands there. `last`: the client wants the connection closed. */
  readonly then: 'nothing' | 'incomplete' | 'odd' | 'illegal' | 'last';
  readonly detail: string;
}

/** What the fast lane's parsers make of a connection's bytes (latin1), without any socket. */
export function readAsFastLane(text: string): LaneReading {
  const bytes = Buffer.from(text, 'latin1');
  const requests: SeenRequest[] = [];
  let end = 0;
  const stop = (then: LaneReading['then'], detail = '') => ({ requests, end, then, detail });
  for (;;) {
    if (end === bytes.length) return stop('nothing');
    const head = parseRequestHead(bytes, end, { headerBytes: 16_384, headerCount: 100 });
    if (head.kind === 'illegal') return stop('illegal', head.detail);
    if (head.kind !== 'head') return stop(head.kind);
    const { method, target, headers } = head;
    const pieces: BodyPiece[] = [];
    const reader = readerFor(head);
    const bodyEnd = reader.read(bytes, head.end, pieces);
    if (reader.problem !== undefined) return stop('illegal', reader.problem);
    if (!reader.done) return stop('incomplete');
    const passed = pieces.map((piece) => (typeof piece === 'string' ? piece : piece.toString('latin1'))).join('');
    const body = head.body.kind === 'chunked' ? readChunked(passed, 0)?.body : passed;
    requests.push({ method, target, headers, body: body ?? 'not a chunked body' });
    end = bodyEnd;
    if (head.close) return stop('last');
  }
}

function readerFor({ body }: CanonicalHead): BodyReader {
  if (body.kind === 'none') return noBodyReader;
  return body.kind === 'length' ? new LengthReader(body.bytes) : createChunkedReader(() => false);
}
