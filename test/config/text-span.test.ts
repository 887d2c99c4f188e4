import { expect, test } from 'vitest';
import { LineCounter, parseDocument, type Scalar, type YAMLMap } from 'yaml';
import { spanInText } from '../../src/config/text-span.ts';
import { startCpuTime } from '../support/cpu-time.ts';

/** What of the file is blamed for `part` of the scalar that the file has as its only value. */
function blamed(yaml: string, part: string, fill: (text: string) => string = (text) => text): string | undefined {
  const node = (parseDocument(yaml).contents as YAMLMap).items[0]?.value as Scalar<string>;
  const [start, end] = node.range as [number, number, number];
  const source = { file: 'x.yaml', text: yaml, lines: new LineCounter() };
  const text = fill(node.value);
  const at = text.indexOf(part);
  const span = spanInText({ source, start, end }, text, at, at + part.length);
  return span && yaml.slice(span.start, span.end);
}

test.each([
  ['plain', 'rule: claims.a == 1 && b'],
  ['plain, over lines', 'rule: claims.a == 1\n  && b'],
  ['single quotes', "rule: 'claims.a == \"it''s\" && b'"],
  ['single quotes, over lines', "rule: 'claims.a\n    == \"it''s\"\n\n  && b'"],
  ['double quotes', 'rule: "claims.a == \\"x\\" && claims.c.matches(\\"\\\\\\\\d\\") && b"'],
  ['a literal block', 'rule: |\n  claims.a == 1\n    && b\n'],
  ['a literal block that keeps its end', 'rule: |+\n  claims.a == 1\n\n  && b\n\n'],
  ['a folded block', 'rule: >- # why\n  claims.a == 1\n  && b\n'],
  ['carriage returns', 'rule: |\r\n  claims.a == 1\r\n  && b\r\n'],
])('the last word of a rule is found in %s', (_style, yaml) => {
  expect(blamed(yaml, '&& b')).toMatch(/^&&\s+b$/);
  expect(blamed(yaml, 'claims.a')).toBe('claims.a');
});

test('a dollar that is written twice is found', () => {
  expect(blamed('rule: \'claims.a.matches("^a$$") && b\'', '&& b', (text) => text.replace('$$', '$'))).toBe('&& b');
});

test('what stands beside a filled placeholder is found, and the placeholder where its value is meant', () => {
  const fill = (text: string) => text.replace('${tenant}', 'acme').replace('${A}', 'b b').replace('${EMPTY}', '');
  const yaml = 'rule: claims.a == "${tenant}" && "${A}${EMPTY}" != b';
  expect(blamed(yaml, '!= b', fill)).toBe('!= b');
  expect(blamed(yaml, 'claims.a ==', fill)).toBe('claims.a ==');
  expect(blamed(yaml, 'b b', fill)?.startsWith('$')).toBe(true);
});

test('many placeholders take no long time', () => {
  const yaml = `rule: "${'${A}'.repeat(200)} z"`;
  const cpuMs = startCpuTime();
  blamed(yaml, 'z', (text) => `${'a'.repeat(text.length)} y z`);
  expect(cpuMs()).toBeLessThan(2000);
});

test('where more differs, nothing is pointed at that might be something else', () => {
  expect(blamed('rule: "claims.a == \\u0061 && b"', '&& b')).toBeUndefined();
  expect(blamed('rule: claims.a == 1 && b', '&& c', () => 'claims.a == 1 && c')).toBeUndefined();
});
