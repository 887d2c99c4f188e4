import { resolve } from 'node:path';
import { describeTimes } from '../explain/times.ts';
import { parseToken } from '../gate/token.ts';
import { exitCodes } from './exit-codes.ts';
import { readStdin, type TokenIo } from './token-io.ts';
import { type ExactObject, isObject, parseExactJson, printableJson } from './token-json.ts';

/** No limit of the gate's: what it refuses for its length can still be looked at. */
const anyBytes = Number.MAX_SAFE_INTEGER;

export interface TokenInspectOptions {
  readonly config?: string;
  readonly tenant?: string;
}

/**
 * Prints what a token says: 0 where it could be read, 1 where not. Verifies nothing, and says so; with a config it is
 * verified as the gate would, and the exit code is the verdict.
 */
export async function inspectToken(
  input: string | undefined,
  options: TokenInspectOptions,
  io: TokenIo,
): Promise<number> {
  const tell = (text: string, exitCode: number) => {
    io.stderr(`jwtgate: ${text}\n`);
    return exitCode;
  };
  if (input !== undefined && input !== '-') {
    return tell('the token comes on stdin, not as an argument', exitCodes.usage);
  }
  const text = await readStdin('the token', io);
  if (typeof text !== 'string') return tell(text.problem, exitCodes.usage);
  const token = text.trim().replace(/^(?:authorization:\s*)?bearer\s+/i, '');
  if (token === '') return tell('stdin holds no token', exitCodes.usage);

  const [header, payload] = token.split('.').map(decodePart);
  if (!isObject(header)) {
    return tell('not a token: what stands before the first "." is no JSON object in base64url', exitCodes.no);
  }
  io.stdout(`${printableJson(describeToken(header, payload))}\n`);
  if (options.config !== undefined) {
    const { verifyByConfig } = await import('./token-verify.ts');
    const { text, exitCode } = await verifyByConfig(token, resolve(options.config), options.tenant, io.env);
    return tell(text, exitCode);
  }
  tell('nothing was verified: anybody can have written this', exitCodes.ok);
  const parsed = parseToken(token, anyBytes);
  if (parsed.kind === 'malformed') tell(`a gate would refuse this token: ${parsed.detail}`, exitCodes.ok);
  return exitCodes.ok;
}

function describeToken(header: ExactObject, payload: unknown): ExactObject {
  if (!isObject(payload)) return { header };
  const times = describeTimes(payload, Date.now());
  return Object.keys(times).length === 0 ? { header, payload } : { header, payload, times };
}

/** Laxer than the gate, so that what it refuses can be seen. */
function decodePart(part: string): unknown {
  return parseExactJson(Buffer.from(part, 'base64url').toString('utf8'));
}
