import { STATUS_CODES } from 'node:http';
import type { Answer } from '../../gate/decision.ts';
import { httpDate } from './http-date.ts';

/** An answer of our own as bytes, head and body; a HEAD is told of the body, and not sent it (RFC 9110 section 9.3.2). */
export function ownAnswer(answer: Answer, method: string | undefined, close: boolean): Buffer {
  const { status, headers, body } = answer;
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] as string;
    // A configured header that can't be sent: the refusal itself still must be.
    if (!illegalInValue.test(value)) head += `${headers[i]}: ${value}\r\n`;
  }
  head += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  if (close) head += 'Connection: close\r\n';
  head += `Date: ${httpDate()}\r\n\r\n`;
  if (method === 'HEAD') return Buffer.from(head, 'latin1');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body, 'utf8')]);
}

const illegalInValue = /[^\t\x20-\x7e\x80-\xff]/;
