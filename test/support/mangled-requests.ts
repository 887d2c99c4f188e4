import fc from 'fast-check';

/** One well-formed request, in the parts that a mangler works on; latin1 text. */
interface RequestParts {
  readonly line: string;
  readonly fields: readonly string[];
  readonly body: string;
}

const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
const value = fc.stringMatching(/^[\x20-\x7e\x80-\xff]{0,30}$/).map((text) => text.trim());
const path = fc.stringMatching(/^\/[A-Za-z0-9/._~-]{0,20}(\?[A-Za-z0-9=&%-]{0,20})?$/);
const method = fc.constantFrom('GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');
const data = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 60 })
  .map((bytes) => String.fromCharCode(...bytes));

const chunks = fc
  .tuple(fc.array(data, { maxLength: 4 }), fc.constantFrom('', '', '', ';ext', ';a="b;c"', ';a=b'))
  .map(([parts, extension]) => {
    const filled = parts.filter((part) => part !== '');
    const lines = filled.map((part) => `${part.length.toString(16)}${extension}\r\n${part}\r\n`);
    return `${lines.join('')}0\r\n`;
  });

const trailers = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['X-Sum: 1\r\n', 'X-User: evil\r\n', 'Content-Length: 1\r\n', 'Transfer-Encoding: chunked\r\n'],
      ...[
        'Connection: close\r\n',
        'Connection: Upgrade\r\nUpgrade: websocket\r\n',
        'Host: b\r\n',
        'Expect: 100-continue\r\n',
      ],
    ),
  },
);

const framed = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ fields: [], body: '' }) },
  {
    weight: 3,
    arbitrary: data.map((body) => ({ fields: [`Content-Length: ${body.length}`], body })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(chunks, trailers)
      .map(([body, section]) => ({ fields: ['Transfer-Encoding: chunked'], body: `${body}${section}\r\n` })),
  },
);

const ordinaryField = fc.oneof(
  fc.tuple(token, value).map(([name, text]) => `X-${name}: ${text}`),
  fc.constantFrom(
    'Accept: */*',
    'Accept-Encoding:gzip',
    'Cookie: a=b; c=d',
    'Authorization: Bearer abc.def.ghi',
    'Connection: keep-alive',
    'X-User: evil',
    'x_user: evil',
    'X-Forwarded-For: 1.2.3.4',
    'User-Agent: \t test \t',
    'X-Empty:',
  ),
);

/** A request as a sane client sends it, canonical but for what a client may well send. */
export const requestParts: fc.Arbitrary<RequestParts> = fc
  .tuple(method, path, fc.array(ordinaryField, { maxLength: 6 }), framed)
  .map(([verb, target, fields, { fields: framing, body }]) => ({
    line: `${verb} ${target} HTTP/1.1`,
    fields: ['Host: a.example', ...fields, ...framing],
    body,
  }));

export function requestBytes({ line, fields, body }: RequestParts): string {
  return `${[line, ...fields].join('\r\n')}\r\n\r\n${body}`;
}

/** Lines that attackers add, and bytes that parsers stumble over. */
const hostileField = fc.constantFrom(
  'Host: b.example',
  'Content-Length: 3',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length : 3',
  'Content-Length: 0x3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding:\r\n chunked',
  'transfer_encoding: chunked',
  'Transfer-Encoding: xchunked',
  'Connection: close',
  'Connection: X-User, Content-Length',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'TE: trailers',
  'Trailer: X-Sum',
  ' folded',
  'X: a\rb',
  'X: a\nContent-Length: 5',
  'X: a\x00b',
  ': no name',
  'no colon',
);

const hostileText = fc.constantFrom(
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\n\n',
    '\x00',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '#',
    '\x0b',
    '\x7f',
    '\x80',
    '\xff',
    '0',
    'A',
    '5\r\n',
  ],
  ...[
    '0\r\n\r\n',
    'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
    ' HTTP/1.1',
    ' HTTP/1.0',
    'HTTP/2.0',
    'http://a/',
    '%00',
    '../',
  ],
);

type Mangle = (text: string) => string;

const place = fc.double({ min: 0, max: 1, noNaN: true });

/** One change to the text of a request. */
const mangle: fc.Arbitrary<Mangle> = fc.oneof(
  fc.tuple(place, hostileText).map(
    ([where, more]): Mangle =>
      (text) => {
        const at = Math.floor(where * text.length);
        return text.slice(0, at) + more + text.slice(at);
      },
  ),
  fc.tuple(place, hostileText).map(
    ([where, other]): Mangle =>
      (text) => {
        const at = Math.floor(where * text.length);
        return text.slice(0, at) + other + text.slice(at + 1);
      },
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 3 })).map(
    ([where, count]): Mangle =>
      (text) => {
        const at = Math.floor(where * text.length);
        return text.slice(0, at) + text.slice(at + count);
      },
  ),
  fc.tuple(place, hostileField).map(
    ([where, field]): Mangle =>
      (text) => {
        const lines = text.split('\r\n');
        const fieldCount = Math.max(1, lines.indexOf(''));
        lines.splice(1 + Math.floor(where * fieldCount), 0, field);
        return lines.join('\r\n');
      },
  ),
  place.map(
    (where): Mangle =>
      (text) => {
        const lines = text.split('\r\n');
        const line = Math.floor(where * lines.length);
        lines.splice(line, 0, lines[line] ?? '');
        return lines.join('\r\n');
      },
  ),
  place.map(
    (where): Mangle =>
      (text) => {
        const at = Math.floor(where * text.length);
        const character = text.charAt(at);
        const other = character === character.toUpperCase() ? character.toLowerCase() : character.toUpperCase();
        return text.slice(0, at) + (other.length === 1 && other <= '\xff' ? other : character) + text.slice(at + 1);
      },
  ),
  fc.constant<Mangle>((text) => text.replaceAll('\r\n', '\n')),
);

/** What a client sends on one connection: requests, the first of them mangled now and then; latin1 text. */
export const mangledRequests: fc.Arbitrary<string> = fc
  .tuple(fc.array(requestParts, { minLength: 1, maxLength: 3 }), fc.array(mangle, { maxLength: 2 }))
  .map(([requests, mangles]) => {
    const [first = '', ...others] = requests.map(requestBytes);
    return mangles.reduce((text, change) => change(text), first) + others.join('');
  });

/** The same bytes, in the pieces in which they might arrive. */
export const pieceCuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });

export function inPieces(text: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const places = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length];
  const pieces: Buffer[] = [];
  for (let i = 1; i < places.length; i++) {
    const piece = bytes.subarray(places[i - 1], places[i]);
    if (piece.length > 0) pieces.push(piece);
  }
  return pieces;
}
