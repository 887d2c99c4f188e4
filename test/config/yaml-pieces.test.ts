import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineCounter } from 'yaml';
import { createReport, type Report } from '../../src/config/finding.ts';
import { parseYaml } from '../../src/config/parse-yaml.ts';
import { createPlaces, isContainer, type Places, type Plain } from '../../src/config/places.ts';
import { composeWhole, piecesOf, readTokens } from '../../src/config/yaml-pieces.ts';
import { createValueReader } from '../../src/config/yaml-values.ts';

// A large text is read in pieces, so that traffic has its turn in between. Nobody may be able to tell: the same values,
// the same places, the same problems as of the text read in one go.

const never = () => undefined;

/** Every value with the place of its key and its own, and the report. */
function dump(value: Plain | undefined, places: Places, report: Report): unknown {
  const walk = (one: Plain): unknown => {
    if (!isContainer(one)) return one;
    return Object.entries(one).map(([key, inner]) => {
      const place = places.find(one, Array.isArray(one) ? Number(key) : key);
      return [key, place?.key.start, place?.key.end, place?.value.start, place?.value.end, walk(inner)];
    });
  };
  const findings = report
    .findings()
    .map(({ span, path, message, hint }) => [span?.start, span?.end, path, message, hint]);
  return { value: value === undefined ? undefined : walk(value), findings };
}

async function inPieces(text: string): Promise<unknown> {
  const [places, report] = [createPlaces(), createReport()];
  const { value } = await parseYaml('config.yaml', text, places, report, never);
  return dump(value, places, report);
}

async function inOneGo(text: string): Promise<unknown> {
  const [places, report] = [createPlaces(), createReport()];
  const source = { file: 'config.yaml', text, lines: new LineCounter() };
  const document = composeWhole(await readTokens(text, source.lines, never), text.length);
  const sound = [...document.errors, ...document.warnings].every(
    ({ code, pos }) => code === 'IMPOSSIBLE' && text[pos[0]] === '[',
  );
  const value = sound ? createValueReader(source, places, report.add).read(document) : undefined;
  return { ...(dump(value, places, report) as object), sound };
}

async function isReadInPieces(text: string): Promise<boolean> {
  return (await piecesOf(await readTokens(text, new LineCounter(), never), text.length, never)) !== undefined;
}

const scalar = fc.constantFrom(
  '1',
  'text',
  '"quoted: text"',
  "'it''s'",
  '~',
  'true',
  '1e3',
  '""',
  '99999999999999999999',
  '2026-01-01',
  '# none',
);
const key = (index: number) =>
  fc.constantFrom(`tenant-${index}`, `"tenant ${index}"`, `'t${index}'`, `${index}`, 'same', '__proto__', '"x#y"');
const comment = fc.constantFrom(
  '',
  '  # a comment\n',
  '# at the margin\n',
  '\n',
  '      # deeper than all\n',
  '\n\n  # two\n\n',
);
const value = fc.oneof(
  scalar.map((text) => ` ${text}\n`),
  fc.constant('\n'),
  fc.constantFrom(
    ' {a: 1, b: [x, y]}\n',
    ' [1, {c: d}]\n',
    ' {}\n',
    ' {a: {b: {c: 1}},\n      d: e}\n',
    ' |\n    lines\n    of text\n',
    ' >-\n    folded\n\n    text\n',
  ),
  fc
    .tuple(scalar, scalar)
    .map(([a, b]) => `\n    match: ${a}\n    list:\n      - ${b}\n      - k: v\n        [p, q]: r\n`),
  fc
    .tuple(scalar, scalar)
    .map(([a, b]) => `   # behind the key\n    x: ${a}\n    # before y\n    y: ${b}   # behind\n`),
);
const section = (name: string) =>
  fc
    .integer({ min: 30, max: 70 })
    .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => fc.tuple(comment, key(index), value))))
    .map((entries) => `${name}:\n${entries.map(([before, id, after]) => `${before}  ${id}:${after}`).join('')}`);
const text = fc
  .tuple(
    fc.constantFrom('', '# head\n', '---\n', '\ufeff', 'listen: 1\n', '--- # start\n# more\n'),
    section('tenants'),
    fc.constantFrom('', 'watch: true\n', '# between\nlog: {level: info}\n', '\n\n'),
    section('templates'),
    fc.constantFrom('', '# end\n', '...\n', 'mode: report', '\n  \n', '--- second\n', 'tenants: {a: 1}\n'),
  )
  .map((parts) => parts.join(''));

test('large texts have the same values, places and problems as in one go', async () => {
  let many = 0;
  await fc.assert(
    fc.asyncProperty(text, async (written) => {
      if (await isReadInPieces(written)) many++;
      const { sound, ...whole } = (await inOneGo(written)) as { sound: boolean };
      const pieces = (await inPieces(written)) as { value: unknown; findings: unknown };
      if (sound) expect(pieces).toEqual(whole);
      else expect(pieces.value).toBeUndefined();
    }),
    { numRuns: 60 },
  );
  expect(many).toBeGreaterThan(10);
});

test('a slip anywhere in a large text is refused, or read, as it is in one go', async () => {
  const slips = fc.constantFrom(
    '\t',
    ':',
    ': ',
    '- ',
    '}',
    '{',
    '[',
    '"',
    "'",
    '\n',
    '  ',
    ' ',
    '!tag ',
    '&a ',
    '*a ',
    '%',
    '@',
    '`',
    '|',
    '\r',
    '#',
    ',',
    '? ',
  );
  await fc.assert(
    fc.asyncProperty(text, fc.nat(), slips, async (sound, at, slip) => {
      const offset = at % sound.length;
      const written = sound.slice(0, offset) + slip + sound.slice(offset);
      const { sound: isSound, ...whole } = (await inOneGo(written)) as { sound: boolean };
      const pieces = (await inPieces(written)) as { value: unknown; findings: unknown };
      if (isSound) expect(pieces).toEqual(whole);
      else expect(pieces.value).toBeUndefined();
    }),
    { numRuns: 120 },
  );
});

test('what can only be told as a whole is read as a whole: aliases, flow style, several documents, directives', async () => {
  const entries = Array.from({ length: 100 }, (_, index) => `  t${index}: {a: ${index}}\n`).join('');
  expect(await isReadInPieces(`tenants:\n${entries}`)).toBe(true);
  for (const other of [
    `shared: &s {a: 1}\ntenants:\n${entries}  last: *s\n`,
    `{"tenants": {"a": 1}}`,
    `tenants:\n${entries}---\nmore: 1\n`,
    `%YAML 1.2\n---\ntenants:\n${entries}`,
    '',
    '# nothing\n',
    '- a\n- b\n',
  ]) {
    expect(await isReadInPieces(other)).toBe(false);
  }
});

test('while a large text is read, others have their turn after every few entries', async () => {
  const entries = Array.from(
    { length: 3_000 },
    (_, index) => `  t${index}: {match: {path: /${index}/**}, secret: ${index}}\n`,
  );
  const written = `listen: 1\ntenants:\n${entries.join('')}watch: true\n`;
  let turns = 0;
  const pause = async () => void turns++;
  const [places, report] = [createPlaces(), createReport()];
  const { value } = await parseYaml('config.yaml', written, places, report, pause);
  expect(Object.keys((value as { tenants: object }).tenants)).toHaveLength(3_000);
  // Tokens, then slices.
  expect(turns).toBeGreaterThan(200);
});
