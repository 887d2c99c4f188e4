/** What the options say, as they are read from left to right. */
export interface Draft {
  url: string | undefined;
  method: string | undefined;
  headers: [string, string][];
  /** Lower-case names that curl was told to leave out. */
  removed: string[];
  data: string[] | undefined;
  json: boolean;
  form: boolean;
  isGet: boolean;
  isHead: boolean;
  compressed: boolean;
  pathAsIs: boolean;
}

export function newDraft(): Draft {
  return {
    url: undefined,
    method: undefined,
    headers: [],
    removed: [],
    data: undefined,
    json: false,
    form: false,
    isGet: false,
    isHead: false,
    compressed: false,
    pathAsIs: false,
  };
}

/** Puts an option's value into the draft; undefined, or what is wrong with it. */
type Take = (draft: Draft, value: string) => string | undefined;

const ignored: Take = () => undefined;

const setHeader =
  (name: string): Take =>
  (draft, value) => {
    draft.headers.push([name, value]);
    return undefined;
  };

const addData: Take = (draft, value) => {
  if (value.startsWith('@')) return 'its data stands in a file, which is not read here: give it with --body @file';
  draft.data = [...(draft.data ?? []), value];
  return undefined;
};

const addUrl: Take = (draft, value) => {
  if (draft.url !== undefined) return 'it names two URLs';
  draft.url = value;
  return undefined;
};

/** Options of curl that take a value. */
const withValue: Readonly<Record<string, Take>> = {
  '--request': (draft, value) => {
    draft.method = value;
    return undefined;
  },
  '--header': addHeader,
  '--data': addData,
  '--data-ascii': addData,
  '--data-binary': addData,
  '--data-raw': (draft, value) => {
    draft.data = [...(draft.data ?? []), value];
    return undefined;
  },
  '--data-urlencode': (draft, value) => {
    const [, name = '', content] = /^([^=@]*)=(.*)$/s.exec(value) ?? [];
    if (content === undefined && value.includes('@')) return addData(draft, '@');
    const encoded = encodeURIComponent(content ?? value);
    draft.data = [...(draft.data ?? []), name === '' ? encoded : `${name}=${encoded}`];
    return undefined;
  },
  '--json': (draft, value) => {
    draft.json = true;
    return addData(draft, value);
  },
  '--form': (draft) => {
    draft.form = true;
    return undefined;
  },
  '--user': (draft, value) => {
    draft.headers.push(['Authorization', `Basic ${Buffer.from(value).toString('base64')}`]);
    return undefined;
  },
  '--oauth2-bearer': (draft, value) => {
    draft.headers.push(['Authorization', `Bearer ${value}`]);
    return undefined;
  },
  '--user-agent': setHeader('User-Agent'),
  '--referer': setHeader('Referer'),
  '--cookie': (draft, value) => {
    if (!value.includes('=')) return 'its cookies stand in a file, which is not read here';
    draft.headers.push(['Cookie', value]);
    return undefined;
  },
  '--url': addUrl,
  ...Object.fromEntries(
    [
      ...['--output', '--write-out', '--max-time', '--connect-timeout', '--retry', '--retry-delay', '--resolve'],
      ...['--cacert', '--cert', '--key', '--proxy', '--noproxy', '--dump-header', '--cookie-jar', '--interface'],
      ...['--connect-to', '--max-redirs', '--limit-rate', '--ciphers', '--tls-max', '--stderr', '--trace-ascii'],
    ].map((name) => [name, ignored]),
  ),
};

/** Options of curl without a value. */
const flags: Readonly<Record<string, Take>> = {
  '--get': (draft) => {
    draft.isGet = true;
    return undefined;
  },
  '--head': (draft) => {
    draft.isHead = true;
    return undefined;
  },
  '--compressed': (draft) => {
    draft.compressed = true;
    return undefined;
  },
  '--path-as-is': (draft) => {
    draft.pathAsIs = true;
    return undefined;
  },
  ...Object.fromEntries(
    [
      ...['--silent', '--show-error', '--verbose', '--include', '--insecure', '--location', '--fail', '--globoff'],
      ...['--http1.1', '--http2', '--http3', '--http2-prior-knowledge', '--no-buffer', '--ipv4', '--ipv6', '--basic'],
      ...['--no-progress-meter', '--progress-bar', '--fail-with-body', '--tlsv1.2', '--tlsv1.3', '--remote-name'],
      ...['--no-keepalive', '--raw', '--location-trusted', '--parallel', '--junk-session-cookies'],
    ].map((name) => [name, ignored]),
  ),
};

const shortNames: Readonly<Record<string, string>> = {
  '-4': '--ipv4',
  '-6': '--ipv6',
  '-A': '--user-agent',
  '-b': '--cookie',
  '-c': '--cookie-jar',
  '-d': '--data',
  '-D': '--dump-header',
  '-e': '--referer',
  '-E': '--cert',
  '-f': '--fail',
  '-F': '--form',
  '-g': '--globoff',
  '-G': '--get',
  '-H': '--header',
  '-i': '--include',
  '-I': '--head',
  '-k': '--insecure',
  '-L': '--location',
  '-m': '--max-time',
  '-N': '--no-buffer',
  '-o': '--output',
  '-O': '--remote-name',
  '-s': '--silent',
  '-S': '--show-error',
  '-u': '--user',
  '-v': '--verbose',
  '-w': '--write-out',
  '-x': '--proxy',
  '-X': '--request',
};

/** `-sXPOST` is `-s -X POST`; a word that is no option stays. */
function expandShortOptions(words: readonly string[]): { readonly option?: string; readonly value?: string }[] {
  const expanded: { option?: string; value?: string }[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === '-' || !word.startsWith('-')) {
      expanded.push({ value: word });
      continue;
    }
    let rest = word;
    while (rest !== '') {
      const option = rest.startsWith('--') ? rest : (shortNames[rest.slice(0, 2)] ?? rest.slice(0, 2));
      const inline = rest.startsWith('--') ? '' : rest.slice(2);
      const takesValue = Object.hasOwn(withValue, option);
      const value = !takesValue ? undefined : inline === '' ? words[++i] : inline;
      expanded.push({ option, ...(value === undefined ? {} : { value }) });
      rest = takesValue || inline === '' ? '' : `-${inline}`;
    }
  }
  return expanded;
}

/** Takes all words after `curl`; undefined, or what is wrong with one of them. */
export function takeOptions(draft: Draft, words: readonly string[]): string | undefined {
  for (const { option, value } of expandShortOptions(words)) {
    if (option === undefined) {
      const fault = addUrl(draft, value as string);
      if (fault !== undefined) return fault;
      continue;
    }
    const take = Object.hasOwn(withValue, option) ? withValue[option] : flags[option];
    if (take === undefined || !(Object.hasOwn(withValue, option) || Object.hasOwn(flags, option))) {
      return `it has the option ${option.replace(/[^\x20-\x7e]/g, '?')}, which is not known here`;
    }
    if (Object.hasOwn(withValue, option) && value === undefined) return `${option} stands without its value`;
    const fault = take(draft, value ?? '');
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function addHeader(draft: Draft, line: string): string | undefined {
  if (line.startsWith('@')) return 'its headers stand in a file, which is not read here';
  // "Name;" sends an empty one, "Name:" takes one of curl's own out.
  const empty = /^([^:;]+);\s*$/.exec(line)?.[1];
  const colon = line.indexOf(':');
  if (empty !== undefined) {
    draft.headers.push([empty.trim(), '']);
    return undefined;
  }
  if (colon < 1) return 'a header of it has no ":"';
  const [name, value] = [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  if (value === '') draft.removed.push(name.toLowerCase());
  else draft.headers.push([name, value]);
  return undefined;
}
