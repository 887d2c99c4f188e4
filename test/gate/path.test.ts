import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePathPattern, matchPath, type PathPattern, parseTarget, type Target } from '../../src/gate/path.ts';

function target(text: string): Target {
  const parsed = parseTarget(text);
  if (parsed.kind === 'problem') throw new Error(`${text}: ${parsed.detail}`);
  return parsed;
}

function pattern(text: string): PathPattern {
  const compiled = compilePathPattern(text);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}

describe('a plain target', () => {
  it.each([
    ['/', []],
    ['/a', ['a']],
    ['/a/', ['a']],
    ['/a/b.c/d', ['a', 'b.c', 'd']],
    ['/.well-known/jwks.json', ['.well-known', 'jwks.json']],
    ['/..a/b..', ['..a', 'b..']],
    ['/%61dmin', ['admin']],
    ['/caf%C3%A9', ['café']],
    ['/a%20b', ['a b']],
    ['/a[0]|b', ['a[0]|b']],
  ])('%s has these segments and goes on as it came', (text, segments) => {
    expect(target(text)).toMatchObject({ rawPath: text, normalizedPath: text, segments, oddity: undefined });
  });

  it('keeps its query apart, and an empty one is not none', () => {
    expect(target('/a?b=c?d').query).toBe('b=c?d');
    expect(target('/a?').query).toBe('');
    expect(target('/a').query).toBeUndefined();
  });
});

describe('a path that two readers could read differently is marked, and its normal form known', () => {
  it.each([
    ['dot segment', '/public/../admin', '/admin'],
    ['dot segment at the end', '/public/..', '/'],
    ['single dot', '/a/./b', '/a/b'],
    ['encoded dots (CVE-2021-29492)', '/public/%2e%2e/admin', '/admin'],
    ['half encoded dots', '/public/.%2E/admin', '/admin'],
    ['climbing above the root', '/../../etc/passwd', '/etc/passwd'],
    ['encoded slash', '/public%2fadmin', '/public/admin'],
    ['encoded slash with dots', '/public/..%2Fadmin', '/admin'],
    ['backslash', '/public\\..\\admin', '/admin'],
    ['encoded backslash', '/public%5c..%5cadmin', '/admin'],
    ['empty segment', '//admin', '/admin'],
    ['empty segment inside', '/a//b', '/a/b'],
    ['two slashes at the end', '/a//', '/a/'],
    ['path parameter', '/admin;x=y/z', '/admin/z'],
    ['Tomcat dots (..;/)', '/public/..;/admin', '/admin'],
    ['encoded semicolon', '/admin%3bx/z', '/admin/z'],
    ['a parameter alone', '/a/;x/b', '/a/b'],
  ])('%s: %s', (_name, text, normalized) => {
    const parsed = target(text);
    expect(parsed.oddity).toBeDefined();
    expect(parsed.normalizedPath).toBe(normalized);
    expect(parsed.rawPath).toBe(text);
  });
});

describe('a target that cannot be trusted in any reading is a problem', () => {
  it.each([
    ['NUL', '/a%00b'],
    ['encoded CR LF', '/a%0d%0aX-Injected:%201'],
    ['encoded DEL', '/a%7f'],
    ['overlong UTF-8 dot', '/%c0%ae%c0%ae/admin'],
    ['broken escape', '/a%2'],
    ['escape that is no hex', '/a%zz'],
    ['latin1 escape', '/caf%e9'],
    ['raw non-ASCII', '/café'],
    ['raw space', '/a b'],
    ['raw tab', '/a\tb'],
    ['fragment', '/a#b'],
    ['fragment in the query', '/a?b#c'],
    ['raw CR in the query', '/a?b\r\nX: y'],
    ['double-encoded dots', '/public/%252e%252e/admin'],
    ['double-encoded slash', '/public%252fadmin'],
    ['double-encoded backslash', '/public%255cadmin'],
    ['double-encoded NUL', '/a%2500'],
    ['double-encoded letter', '/%2561dmin'],
    ['letter encoded twice over', '/%25%36%31dmin'],
    ['double-encoded digit', '/v%2532/admin'],
    ['absolute form', 'http://evil.example/a'],
    ['asterisk form', '*'],
    ['authority form', 'evil.example:443'],
    ['nothing', ''],
  ])('%s', (_name, text) => {
    expect(parseTarget(text).kind).toBe('problem');
  });
});

it('no target makes parseTarget throw, and a normalised path is plain', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2F',
    '%5c',
    '\\',
    ';',
    'a',
    '%61',
    '%00',
    '%',
    '%25',
    '?',
    'é',
    '#',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece).map((pieces) => `/${pieces.join('')}`),
        fc.string(),
      ),
      (text) => {
        const parsed = parseTarget(text);
        if (parsed.kind === 'problem') return;
        const again = parseTarget(parsed.normalizedPath);
        expect(again).toMatchObject({ kind: 'target', oddity: undefined, segments: parsed.segments });
      },
    ),
    { numRuns: 2000 },
  );
});

describe('a path pattern', () => {
  it.each([
    ['/a', '/a', {}],
    ['/a', '/a/', {}],
    ['/a/', '/a', {}],
    ['/a', '/%61', {}],
    ['/', '/', {}],
    ['/**', '/', {}],
    ['/**', '/a/b/c', {}],
    ['/a/**', '/a', {}],
    ['/a/**', '/a/b', {}],
    ['/a/*/c', '/a/b/c', {}],
    ['/accounts/{id}/**', '/accounts/17/x', { id: '17' }],
    ['/{tenant}/users/{user}', '/acme/users/a%20b', { tenant: 'acme', user: 'a b' }],
    ['/caf%C3%A9', '/caf%c3%a9', {}],
  ])('%s matches %s', (text, path, captures) => {
    const matched = matchPath(pattern(text), target(path).segments);
    expect(matched && Object.fromEntries(matched)).toEqual(captures);
  });

  it.each([
    ['/a', '/b'],
    ['/a', '/A'],
    ['/a', '/a/b'],
    ['/a/**', '/ab'],
    ['/a/*', '/a'],
    ['/a/{x}', '/a/'],
    ['/', '/a'],
  ])('%s does not match %s', (text, path) => {
    expect(matchPath(pattern(text), target(path).segments)).toBeUndefined();
  });

  it.each([
    ['a', 'begins with'],
    ['/a//b', 'empty segments'],
    ['/a*', 'one whole segment'],
    ['/**/b', 'only at the end'],
    ['/{a}.json', 'one whole segment'],
    ['/{a}/{a}', 'twice'],
    ['/{a b}', 'a variable is'],
    ['/a/../b', 'can never match'],
    ['/a%2Fb', 'can never match'],
  ])('%s is a problem that says how to mend it', (text, words) => {
    const compiled = compilePathPattern(text);
    expect('problem' in compiled && compiled.problem).toContain(words);
  });
});
