import { describe, expect, it } from 'vitest';
import { basicMatches, compileBasic, readBasic } from '../../src/gate/basic.ts';

const encoded = (text: string) => Buffer.from(text).toString('base64');
const read = (...values: string[]) => readBasic({ headers: values.flatMap((value) => ['Authorization', value]) });

describe('Basic credentials are read', () => {
  it.each([
    ['as they are', `Basic ${encoded('joe:secret')}`, 'joe', 'secret'],
    ['in any letter case of the scheme', `bAsIc ${encoded('joe:secret')}`, 'joe', 'secret'],
    ['with colons in the password', `Basic ${encoded('joe:a:b:')}`, 'joe', 'a:b:'],
    ['with an empty password', `Basic ${encoded('joe:')}`, 'joe', ''],
    ['without padding', `Basic ${encoded('joe:secret').replaceAll('=', '')}`, 'joe', 'secret'],
  ])('%s', (_name, value, unverifiedUser, unverifiedPassword) => {
    expect(read(value)).toEqual({ kind: 'credentials', unverifiedUser, unverifiedPassword });
  });

  it.each(['Bearer x', 'BasicX x', ''])('not from %j', (value) => {
    expect(read(value)).toEqual({ kind: 'none' });
  });

  it.each([
    ['no base64', ['Basic !!!']],
    ['no colon', [`Basic ${encoded('joe')}`]],
    ['a list', [`Basic ${encoded('a:b')}, Basic ${encoded('c:d')}`]],
    ['two lines', [`Basic ${encoded('a:b')}`, 'Bearer x']],
    ['nothing after the scheme', ['Basic']],
  ])('never from %s', (_name, values) => {
    expect(read(...values)).toMatchObject({ kind: 'unreadable' });
  });
});

describe('Basic credentials match', () => {
  const credential = compileBasic('AC123', 'geheim-é');
  it.each([
    ['AC123', 'geheim-é', true],
    ['AC123', 'geheim-e', false],
    ['AC12', 'geheim-é', false],
    ['', '', false],
    ['ac123', 'geheim-é', false],
    ['AC123', 'geheim-é ', false],
  ])('%s:%s → %s', (user, password, matches) => {
    expect(basicMatches(credential, user, password)).toBe(matches);
  });

  it('keeps no password in reach of a dump', () => {
    expect(JSON.stringify(credential)).not.toContain('geheim');
  });
});
