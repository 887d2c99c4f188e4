import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Answer } from '../gate/decision.ts';

/** Writes an answer of our own; `close` ends the connection after it. */
export function writeAnswer(response: ServerResponse, answer: Answer, close: boolean): void {
  const body = Buffer.from(answer.body, 'utf8');
  try {
    response.writeHead(answer.status, STATUS_CODES[answer.status] ?? '', answerFields(answer, body, close));
  } catch {
    // A configured header that can't be sent: the answer itself still must be.
    response.writeHead(answer.status, '', ['Content-Length', String(body.byteLength), 'Connection', 'close']);
  }
  response.end(body);
}

/** The same as bytes, for a connection on which no request could be made out. */
export function serializeAnswer(answer: Answer): Buffer {
  const body = Buffer.from(answer.body, 'utf8');
  const fields = answerFields(answer, body, true);
  let head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}\r\nDate: ${new Date().toUTCString()}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body]);
}

function answerFields(answer: Answer, body: Buffer, close: boolean): string[] {
  const fields = [...answer.headers, 'Content-Length', String(body.byteLength)];
  if (close) fields.push('Connection', 'close');
  return fields;
}
