import type { ClientHttp2Stream } from 'node:http2';
import { isRequestField } from '../field-lists.ts';
import { fieldValue } from '../framing.ts';
import { fieldRecord } from '../http2/answer-fields.ts';
import { errorCodes } from '../http2/error-codes.ts';
import { resetStream } from '../http2/reset-stream.ts';
import { upstreamProblem } from '../upstream-problem.ts';
import type { CallEvents, CallFailure, CallRequest, UpstreamCall } from './upstream-call.ts';
import type { UpstreamSession, UpstreamSessions } from './upstream-sessions.ts';

/** RFC 9113 section 6.2. */
const endStreamFlag = 0x1;

const nothing = Buffer.alloc(0);

/** A call that got nothing in this time, on a connection on which nothing else came either, is a sign of its death. */
const silenceMs = 5_000;

/** A call by HTTP/2: one stream of a connection that many share. */
export function startHttp2Call(call: CallRequest, sessions: UpstreamSessions, events: CallEvents): UpstreamCall {
  const { upstream, body } = call;
  let stream: ClientHttp2Stream | undefined;
  let held: UpstreamSession | undefined;
  let startedMs = 0;
  let bytesBefore = 0;
  let over = false;
  let rawTrailers: readonly string[] = [];
  let trailers: Record<string, string | string[]> | undefined;

  const fail = (failure: CallFailure) => {
    if (over) return;
    over = true;
    events.onFailure(failure);
  };

  const begin = (taken: UpstreamSession) => {
    held = taken;
    startedMs = performance.now();
    bytesBefore = taken.bytesRead;
    const fields = requestSection(call);
    try {
      if (fields === undefined) throw new Error('a field that no header can be');
      const hasBody = body.kind !== 'none';
      // Node ends a stream in order before it resets it, and half a request would pass for all of it: so that one waits
      // for trailers, and with them for our word that it is whole.
      stream = taken.session.request(fields, { endStream: !hasBody, waitForTrailers: hasBody });
    } catch (error) {
      taken.release();
      // Not before the caller knows its call.
      queueMicrotask(() =>
        fail({ detail: `the request can't be sent: ${(error as Error).message}`, progress: 'unknown' }),
      );
      return;
    }
    listen(stream, taken);
    // The session may have been there already: the caller has to know its call first.
    queueMicrotask(() => {
      if (!over) events.onConnected();
    });
  };

  const listen = (opened: ClientHttp2Stream, taken: UpstreamSession) => {
    let detail = 'the upstream closed the connection';
    let isWhole = false;
    opened
      .on('error', (error: NodeJS.ErrnoException) => {
        detail = upstreamProblem(error);
      })
      .on('drain', () => events.onDrain())
      .once('finish', () => {
        if (!over) events.onSent();
      })
      .once('wantTrailers', () => {
        if (trailers !== undefined) opened.sendTrailers(trailers);
      })
      .on('headers', (fields, _flags, raw) => {
        if (!over) events.onInterim(Number(fields[':status']), withoutStatus(raw as unknown as string[]));
      })
      .once('response', (fields, flags, raw) => {
        if (over) return;
        const rawHeaders = withoutStatus(raw as unknown as string[]);
        const endsHere = (flags & endStreamFlag) !== 0;
        events.onHead({
          status: Number(fields[':status']),
          httpVersion: '2',
          rawHeaders,
          rest: endsHere ? nothing : undefined,
        });
      })
      .once('trailers', (_fields, _flags, raw?: readonly string[]) => {
        rawTrailers = raw ?? [];
      })
      .on('data', (chunk: Buffer) => {
        if (!over) events.onData(chunk);
      })
      .once('end', () => {
        // Node ends a stream that was reset, too.
        isWhole = opened.rstCode === errorCodes.noError && !opened.destroyed;
        if (!isWhole || over) return;
        over = true;
        events.onEnd(rawTrailers);
      })
      .once('close', () => {
        taken.release();
        const { rstCode } = opened;
        const untouched = rstCode === errorCodes.refusedStream;
        const codeText = rstCode === errorCodes.noError ? '' : ` (the stream ended with code ${rstCode})`;
        fail({ detail: `${detail}${codeText}`, progress: untouched ? 'untouched' : 'unknown', errorCode: rstCode });
      });
  };

  const giveUp = sessions.take(upstream, {
    onSession: begin,
    onFailure: (error) => fail({ detail: upstreamProblem(error), progress: 'unknown' }),
  });

  return {
    write: (chunk) => stream?.write(chunk) ?? true,
    get isFull() {
      return stream?.writableNeedDrain === true;
    },
    end(pairs) {
      trailers = fieldRecord(pairs);
      stream?.end();
    },
    pause: () => void stream?.pause(),
    resume: () => void stream?.resume(),
    abort() {
      over = true;
      giveUp();
      if (held === undefined || stream === undefined) return;
      const isSilent = held.bytesRead === bytesBefore && performance.now() - startedMs > silenceMs;
      if (isSilent) held.retire();
      resetStream(stream, errorCodes.cancel);
    },
  };
}

/** RFC 9113 section 8.3.1; undefined where something can't stand in a header section. */
function requestSection({ upstream, method, target, headers, body, trailerNames }: CallRequest): string[] | undefined {
  const fields: string[] = [];
  let authority = '';
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = headers[i + 1] as string;
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) || !fieldValue.test(value)) return undefined;
    if (name === 'host') authority = value;
    else if (name === 'te' ? value === 'trailers' : isRequestField(name)) fields.push(name, value);
  }
  if (!/^\/[\x21-\x7e]*$/.test(target)) return undefined;
  if (body.kind === 'length') fields.push('content-length', String(body.bytes));
  if (trailerNames.length > 0) fields.push('trailer', trailerNames.join(', '));
  return [':method', method, ':scheme', upstream.scheme, ':authority', authority, ':path', target, ...fields];
}

function withoutStatus(section: readonly string[]): string[] {
  const fields: string[] = [];
  for (let i = 0; i < section.length; i += 2) {
    if (section[i] !== ':status') fields.push(section[i] as string, section[i + 1] as string);
  }
  return fields;
}
