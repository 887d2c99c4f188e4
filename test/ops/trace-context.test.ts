import { describe, expect, test } from 'vitest';
import { formatTraceParent, parseTraceParent, parseTraceState } from '../../src/ops/trace-context.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

describe('traceparent', () => {
  test.each([
    ['sampled', `00-${traceId}-${spanId}-01`, true],
    ['not sampled', `00-${traceId}-${spanId}-00`, false],
    ['other flags beside', `00-${traceId}-${spanId}-03`, true],
    ['only flags that are not known', `00-${traceId}-${spanId}-fe`, false],
    ['a later version', `cc-${traceId}-${spanId}-01`, true],
    ['a later version that says more', `cc-${traceId}-${spanId}-01-what-the-future-holds`, true],
  ])('%s', (_name, value, sampled) => {
    expect(parseTraceParent([value])).toEqual({ traceId, spanId, sampled });
  });

  test.each([
    ['none', []],
    ['two', [`00-${traceId}-${spanId}-01`, `00-${traceId}-${spanId}-01`]],
    ['empty', ['']],
    ['more in version 00', [`00-${traceId}-${spanId}-01-more`]],
    ['a dash at the end of version 00', [`00-${traceId}-${spanId}-01-`]],
    ['more in a later version without a dash', [`cc-${traceId}-${spanId}-01.more`]],
    ['version ff', [`ff-${traceId}-${spanId}-01`]],
    ['capitals', [`00-${traceId.toUpperCase()}-${spanId}-01`]],
    ['a trace id of zeros', [`00-${'0'.repeat(32)}-${spanId}-01`]],
    ['a span id of zeros', [`00-${traceId}-${'0'.repeat(16)}-01`]],
    ['a short trace id', [`00-${traceId.slice(1)}-${spanId}-01`]],
    ['a long span id', [`00-${traceId}-${spanId}0-01`]],
    ['no flags', [`00-${traceId}-${spanId}`]],
    ['one digit of flags', [`00-${traceId}-${spanId}-1`]],
    ['a letter that is no hex digit', [`00-${traceId}-${spanId}-0g`]],
    ['spaces around', [` 00-${traceId}-${spanId}-01`]],
    ['underscores', [`00_${traceId}_${spanId}_01`]],
    ['a version of one digit', [`0-${traceId}-${spanId}-01`]],
    ['a line break', [`00-${traceId}-${spanId}-01\n`]],
  ])('%s is not valid', (_name, values) => {
    expect(parseTraceParent(values)).toBeUndefined();
  });

  test('what is written can be read', () => {
    for (const sampled of [true, false]) {
      expect(parseTraceParent([formatTraceParent({ traceId, spanId, sampled })])).toEqual({ traceId, spanId, sampled });
    }
  });
});

describe('tracestate', () => {
  test.each([
    ['one member', ['rojo=00f067aa0ba902b7'], 'rojo=00f067aa0ba902b7'],
    ['several headers, in order', ['a=1,b=2', 'c=3'], 'a=1,b=2,c=3'],
    ['a tenant before the vendor', ['fw529a3039@dt=FfAAAAAA'], 'fw529a3039@dt=FfAAAAAA'],
    ['white space around members, and empty ones', ['a=1 , ,\tb=2,'], 'a=1,b=2'],
    ['spaces within a value', ['a=x y'], 'a=x y'],
    [
      '32 members',
      [Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(',')],
      Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(','),
    ],
  ])('%s', (_name, values, expected) => {
    expect(parseTraceState(values)).toBe(expected);
  });

  test.each([
    ['none', []],
    ['empty', ['']],
    ['33 members', [Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(',')]],
    ['a key twice', ['a=1,a=2']],
    ['a key in capitals', ['A=1']],
    ['a key that begins with a digit', ['1a=1']],
    ['no value', ['a=']],
    ['no equals sign', ['a']],
    ['an equals sign in the value', ['a=b=c']],
    ['a byte beyond ASCII', ['a=\xe4']],
    ['a control character', ['a=b\x01']],
    ['a key of 257', [`${'a'.repeat(257)}=1`]],
    ['a value of 257', [`a=${'1'.repeat(257)}`]],
  ])('%s is not valid', (_name, values) => {
    expect(parseTraceState(values)).toBeUndefined();
  });
});
