import { readFile } from 'node:fs/promises';
import type { RequestDescription } from '../../explain/request-description.ts';
import { readStdin, type TokenIo } from '../token-io.ts';
import { type ReadRequest, readCurlCommand } from './curl-command.ts';
import { readHarEntry } from './har-entry.ts';

/** How the command line tells of a request. */
export interface RequestOptions {
  readonly request?: string;
  /** "Name: value" each. */
  readonly header?: readonly string[];
  /** Text, @file or - for stdin; so is each of the following. */
  readonly body?: string;
  readonly token?: string;
  readonly curl?: string;
  readonly har?: string;
  readonly entry?: string;
  readonly peer?: string;
}

type ReadOptions =
  | { readonly kind: 'request'; readonly request: RequestDescription; readonly token: string | undefined }
  | { readonly kind: 'problem'; readonly detail: string };

/** Brings together what a command line says of a request, from options, a command of curl's or an HTTP archive. */
export async function readRequestOptions(
  url: string | undefined,
  options: RequestOptions,
  io: TokenIo,
): Promise<ReadOptions> {
  const { curl, har, entry, token, body, peer } = options;
  const sources = [url, curl, har].filter((one) => one !== undefined);
  if (sources.length !== 1) return problem('give one of: a URL, --curl, --har');
  if ([curl, har, token, body].filter((one) => one === '-').length > 1)
    return problem('only one option can read stdin');
  if (entry !== undefined && (har === undefined || !/^[1-9]\d{0,8}$/.test(entry))) {
    return problem('--entry goes with --har and counts from 1');
  }
  const base = await readBase(url, options, io);
  if (base.kind === 'problem') return base;
  const headers: [string, string][] = [];
  for (const line of options.header ?? []) {
    const colon = line.indexOf(':');
    if (colon < 1) return problem('--header: write "Name: value"');
    headers.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  const givenBody = body === undefined ? undefined : await readText(body, 'the body', io);
  if (givenBody?.kind === 'problem') return problem(`--body: ${givenBody.detail}`);
  const givenToken = token === undefined ? undefined : await readText(token, 'the token', io);
  if (givenToken?.kind === 'problem') return problem(`--token: ${givenToken.detail}`);
  return {
    kind: 'request',
    request: {
      ...base.request,
      method: options.request ?? base.request.method,
      headers: [...base.request.headers, ...headers],
      ...(givenBody === undefined ? {} : { body: Buffer.from(givenBody.text) }),
      peer,
    },
    token: givenToken?.text.trim().replace(/^(?:authorization:\s*)?bearer\s+/i, ''),
  };
}

function problem(detail: string): { readonly kind: 'problem'; readonly detail: string } {
  return { kind: 'problem', detail };
}

async function readBase(
  url: string | undefined,
  { curl, har, entry, body }: RequestOptions,
  io: TokenIo,
): Promise<ReadRequest> {
  if (url !== undefined) {
    return { kind: 'request', request: { method: body === undefined ? 'GET' : 'POST', url, headers: [] } };
  }
  if (curl !== undefined) {
    const command = await readText(curl, 'the curl command', io);
    const read = command.kind === 'problem' ? command : readCurlCommand(command.text);
    return read.kind === 'problem' ? problem(`--curl: ${read.detail}`) : read;
  }
  const archive = await readText(har === '-' ? '-' : `@${har}`, 'the archive', io);
  const read =
    archive.kind === 'problem' ? archive : readHarEntry(archive.text, entry === undefined ? undefined : Number(entry));
  return read.kind === 'problem' ? problem(`--har: ${read.detail}`) : read;
}

type Text = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'problem'; readonly detail: string };

/** The text itself, a file's content (@file) or what stdin holds (-). */
async function readText(given: string, what: string, io: TokenIo): Promise<Text> {
  if (given === '-') {
    const text = await readStdin(what, io);
    return typeof text === 'string' ? { kind: 'text', text } : { kind: 'problem', detail: text.problem };
  }
  if (!given.startsWith('@')) return { kind: 'text', text: given };
  try {
    return { kind: 'text', text: await readFile(given.slice(1), 'utf8') };
  } catch (error) {
    return {
      kind: 'problem',
      detail: `${given.slice(1)} can't be read: ${(error as NodeJS.ErrnoException).code ?? 'failed'}`,
    };
  }
}
