import type { ReadRequest } from './curl-command.ts';

/** What of an HTTP archive (HAR 1.2) is looked at. */
interface HarRequest {
  readonly method?: unknown;
  readonly url?: unknown;
  readonly headers?: unknown;
  readonly postData?: { readonly text?: unknown };
}

/** Takes one entry's request out of an HTTP archive, as browsers export it; entries are counted from 1. */
export function readHarEntry(text: string, entry: number | undefined): ReadRequest {
  let archive: { readonly log?: { readonly entries?: unknown } };
  try {
    archive = JSON.parse(text);
  } catch {
    return problem('it is not JSON');
  }
  const entries = archive?.log?.entries;
  if (!Array.isArray(entries) || entries.length === 0)
    return problem('it is no HTTP archive with entries (log.entries)');
  if (entry === undefined && entries.length > 1) {
    return problem(`it has ${entries.length} entries: name one with --entry N\n${listOf(entries)}`);
  }
  const request: HarRequest | undefined = entries[(entry ?? 1) - 1]?.request;
  if (request === undefined) return problem(`it has no entry ${entry}; there are ${entries.length}`);
  const { method, url, headers, postData } = request;
  if (typeof method !== 'string' || typeof url !== 'string') return problem('the entry has no method or no url');
  const pairs: [string, string][] = [];
  for (const header of Array.isArray(headers) ? headers : []) {
    const { name, value } = (header ?? {}) as { readonly name?: unknown; readonly value?: unknown };
    if (typeof name !== 'string' || typeof value !== 'string')
      return problem('a header of the entry is no name and value');
    // HTTP/2 sends the request line as fields of their own.
    if (!name.startsWith(':')) pairs.push([name, value]);
  }
  const body = typeof postData?.text === 'string' ? { body: Buffer.from(postData.text) } : {};
  return { kind: 'request', request: { method, url, headers: pairs, ...body } };
}

function problem(detail: string): ReadRequest {
  return { kind: 'problem', detail };
}

const mostListed = 20;

/** Without their queries, in which there may be tokens. */
function listOf(entries: readonly { readonly request?: HarRequest }[]): string {
  const lines = entries.slice(0, mostListed).map(({ request }, index) => {
    const url = String(request?.url ?? '').split('?', 1)[0];
    return `  ${index + 1}  ${String(request?.method ?? '')} ${url}`.replace(/[^\x20-\x7e]/g, '?');
  });
  return [...lines, ...(entries.length > mostListed ? ['  …'] : [])].join('\n');
}
