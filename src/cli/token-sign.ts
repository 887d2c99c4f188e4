import { readFile } from 'node:fs/promises';
import { decodeSecret } from '../config/decode-secret.ts';
import { secretEncodings } from '../config/shape/secret.ts';
import { isKeyProblem } from '../keys/key-problem.ts';
import { findBareWord } from '../sign/bare-word.ts';
import { encodePart, joseHeader, signCompact } from '../sign/compact-jws.ts';
import { findUsualAlgorithm, importPrivateKey } from '../sign/import-private-key.ts';
import { reservedHeaderMembers } from '../sign/registered-members.ts';
import { importSigningKey, type SigningKey, type SigningKeySpec } from '../sign/signing-key.ts';
import { exitCodes } from './exit-codes.ts';
import { readStdin, type TokenIo } from './token-io.ts';
import { type ExactObject, parseExactJson, parseExactObject } from './token-json.ts';

export interface TokenSignOptions {
  readonly alg?: string;
  readonly secret?: unknown;
  readonly secretFile?: string;
  readonly secretEnv?: string;
  readonly secretEncoding: string;
  readonly allowWeakSecret?: true;
  readonly keyFile?: string;
  readonly keyEnv?: string;
  /** "name=value" each. */
  readonly claim?: readonly string[];
  readonly expires?: string;
  readonly kid?: string;
  readonly header?: readonly string[];
}

/** Why there is no token. */
interface Fault {
  readonly kind: 'fault';
  readonly text: string;
  readonly exitCode: number;
}

type Members = { readonly kind: 'members'; readonly members: ExactObject };

/** Signs one token and prints it: 0, 1 where key or claims can't be used, 2 for a wrong command line. */
export async function signToken(input: string | undefined, options: TokenSignOptions, io: TokenIo): Promise<number> {
  const token = await makeToken(input, options, io);
  if (typeof token === 'string') {
    io.stdout(`${token}\n`);
    return exitCodes.ok;
  }
  io.stderr(`jwtgate: ${token.text}\n`);
  return token.exitCode;
}

async function makeToken(input: string | undefined, options: TokenSignOptions, io: TokenIo): Promise<string | Fault> {
  if (input !== undefined && input !== '-') return wrongUsage('claims come on stdin or by --claim, not as an argument');
  if (options.secret !== undefined) {
    return wrongUsage(
      'a secret on the command line is known to the shell history and the process list: use --secret-file or --secret-env',
    );
  }
  const header = parseHeader(options.header ?? []);
  if (header.kind === 'fault') return header;
  const named = parsePairs('--claim', options.claim ?? []);
  if (named.kind === 'fault') return named;
  const key = await readKey(options, io.env);
  if ('kind' in key) return key;
  // In a script stdin may never end: with --claim it is left alone, unless "-" asks for it.
  const piped = options.claim !== undefined && input === undefined ? noMembers : await readClaims(io);
  if (piped.kind === 'fault') return piped;
  const claims = withTimes({ ...piped.members, ...named.members }, options.expires, Math.floor(Date.now() / 1000));
  if (claims.kind === 'fault') return claims;
  return signCompact(key, encodePart(joseHeader(key, header.members)), encodePart(claims.members));
}

function fault(text: string): Fault {
  return { kind: 'fault', text, exitCode: exitCodes.no };
}

function wrongUsage(text: string): Fault {
  return { kind: 'fault', text, exitCode: exitCodes.usage };
}

const noMembers: Members = { kind: 'members', members: {} };

function parseHeader(pairs: readonly string[]): Members | Fault {
  const header = parsePairs('--header', pairs);
  if (header.kind === 'fault') return header;
  const reserved = Object.keys(header.members).find((name) => reservedHeaderMembers.has(name));
  return reserved === undefined ? header : wrongUsage(`--header: ${reserved} ${reservedHeaderMembers.get(reserved)}`);
}

function parsePairs(option: string, pairs: readonly string[]): Members | Fault {
  const members: [string, unknown][] = [];
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 1) return wrongUsage(`${option} ${JSON.stringify(pair)}: write name=value`);
    const text = pair.slice(equals + 1);
    const value = parseExactJson(text);
    members.push([pair.slice(0, equals), value === undefined ? text : value]);
  }
  return { kind: 'members', members: Object.fromEntries(members) };
}

async function readKey(options: TokenSignOptions, env: NodeJS.ProcessEnv): Promise<SigningKey | Fault> {
  const { secretFile, secretEnv, keyFile, keyEnv } = options;
  const given = [secretFile, secretEnv, keyFile, keyEnv].filter((source) => source !== undefined);
  if (given.length !== 1) return wrongUsage('give one of --secret-file, --secret-env, --key-file, --key-env');
  const source = await readSource(secretFile ?? keyFile, secretEnv ?? keyEnv, env);
  if (source.kind === 'fault') return source;
  const spec =
    keyFile === undefined && keyEnv === undefined ? secretSpec(source.text, options) : keySpec(source.text, options);
  if ('kind' in spec) return spec;
  const key = await importSigningKey(spec);
  return isKeyProblem(key) ? fault(`${given[0]}: ${key.detail}`) : key;
}

function secretSpec(text: string, options: TokenSignOptions): SigningKeySpec | Fault {
  const { alg, kid, secretEncoding, allowWeakSecret } = options;
  const encoding = secretEncodings.find((one) => one === secretEncoding);
  if (encoding === undefined) return wrongUsage(`--secret-encoding must be one of ${secretEncodings.join(', ')}`);
  const secret = decodeSecret(text.replace(/\r?\n$/, ''), encoding);
  if ('message' in secret) return fault(`the secret ${secret.message}${secret.hint ? `: ${secret.hint}` : ''}`);
  return { algorithm: alg ?? 'HS256', secret, kid, allowWeakSecret };
}

function keySpec(privateKey: string, { alg, kid }: TokenSignOptions): SigningKeySpec {
  const material = alg === undefined ? importPrivateKey(privateKey) : undefined;
  const usual = material === undefined || isKeyProblem(material) ? undefined : findUsualAlgorithm(material);
  // Where there is none, the import says what is wrong with the key.
  return { algorithm: alg ?? usual ?? 'RS256', privateKey, kid: kid ?? null };
}

type Source = { readonly kind: 'source'; readonly text: string } | Fault;

async function readSource(
  file: string | undefined,
  variable: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Source> {
  if (variable !== undefined) {
    const text = env[variable];
    return text === undefined ? fault(`the environment variable ${variable} is not set`) : { kind: 'source', text };
  }
  try {
    return { kind: 'source', text: await readFile(file as string, 'utf8') };
  } catch (error) {
    return fault(`${file} can't be read: ${(error as NodeJS.ErrnoException).code ?? 'failed'}`);
  }
}

async function readClaims(io: TokenIo): Promise<Members | Fault> {
  const text = await readStdin('claims, a JSON object', io);
  if (typeof text !== 'string') return fault(text.problem);
  const parsed = parseExactObject(text);
  return parsed.kind === 'problem'
    ? fault(`claims on stdin: ${parsed.detail}`)
    : { kind: 'members', members: parsed.object };
}

/** A token that nobody limited ends after five minutes. */
function withTimes(claims: ExactObject, expires: string | undefined, nowS: number): Members | Fault {
  const timed = { iat: nowS, ...claims };
  if (Object.hasOwn(claims, 'exp')) {
    return expires === undefined
      ? { kind: 'members', members: timed }
      : wrongUsage('--expires: the claims say exp already');
  }
  if (expires === 'never') return { kind: 'members', members: timed };
  const end = findBareWord(`+${expires ?? '5m'}`);
  if (end === undefined) return wrongUsage('--expires must be 90s, 5m, 1h30m or the like, or never');
  return { kind: 'members', members: { ...timed, exp: end.value(nowS) } };
}
