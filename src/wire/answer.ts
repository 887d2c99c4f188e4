import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Refused } from '../gate/decision.ts';

/** Writes a refusal as the whole answer; `close` ends the connection after it. Returns the status that was sent. */
export function writeRefusal(response: ServerResponse, refused: Refused, close: boolean): number {
  const body = Buffer.from(refused.body, 'utf8');
  try {
    response.writeHead(refused.status, STATUS_CODES[refused.status] ?? '', refusalFields(refused, body, close));
  } catch {
    // A configured header that can't be sent: the refusal itself still must be.
    response.writeHead(refused.status, '', ['Content-Length', String(body.byteLength), 'Connection', 'close']);
  }
  response.end(body);
  return refused.status;
}

/** The same refusal as bytes, for a connection on which no request could be made out. */
export function serializeRefusal(refused: Refused): Buffer {
  const body = Buffer.from(refused.body, 'utf8');
  const fields = refusalFields(refused, body, true);
  let head = `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status] ?? ''}\r\nDate: ${new Date().toUTCString()}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body]);
}

function refusalFields(refused: Refused, body: Buffer, close: boolean): string[] {
  const fields = [...refused.headers, 'Content-Length', String(body.byteLength)];
  if (close) fields.push('Connection', 'close');
  return fields;
}
