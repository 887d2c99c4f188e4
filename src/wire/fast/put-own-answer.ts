import { STATUS_CODES } from 'node:http';
import type { Answer } from '../../gate/decision.ts';
import { httpDate } from './http-date.ts';
import type { Outgoing } from './outgoing.ts';

/** An answer of our own, head and body; a HEAD is told of the body, and not sent it (RFC 9110 section 9.3.2). */
export function putOwnAnswer(out: Outgoing, answer: Answer, method: string | undefined, close: boolean): void {
  const { status, headers, body } = answer;
  out.begin().text(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`);
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] as string;
    // A configured header that can't be sent: the refusal itself still must be.
    if (!illegalInValue.test(value)) out.field(headers[i] as string, value);
  }
  const bodyBytes = Buffer.byteLength(body);
  out.text(`Content-Length: ${bodyBytes}\r\n`);
  if (close) out.text('Connection: close\r\n');
  out.field('Date', httpDate()).text('\r\n');
  if (method === 'HEAD') return;
  // As many bytes as characters: it is ASCII.
  if (bodyBytes === body.length) out.text(body);
  else out.copy(Buffer.from(body), 0, bodyBytes);
}

const illegalInValue = /[^\t\x20-\x7e\x80-\xff]/;
