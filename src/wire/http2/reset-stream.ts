import type { Http2Stream } from 'node:http2';
import { errorCodes } from './error-codes.ts';

/**
 * Resets a stream, once around the loop where the code is CANCEL. Node puts that one off while it reads from the
 * connection, and destroys the stream at once: if it then finds the end of a body to be sent, one that waits for
 * trailers, it aborts the process (node_http2.cc, `Http2Stream::OnTrailers`: `!this->is_destroyed()`).
 */
export function resetStream(stream: Http2Stream, code: number): void {
  if (code === errorCodes.cancel) setImmediate(() => stream.close(code));
  else stream.close(code);
}
