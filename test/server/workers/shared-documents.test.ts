import { expect, test } from 'vitest';
import type { FetchDocument, FetchResult } from '../../../src/keys/fetch-document.ts';
import { createSharedDocuments, type DocumentAsk } from '../../../src/server/workers/shared-documents.ts';

const document = (text: string): FetchResult => ({ kind: 'document', text, validators: { etag: text }, lifetimeMs: 1 });
const failed: FetchResult = { kind: 'failed', code: 'unreachable', detail: 'ECONNREFUSED' };

function provider() {
  let nowMs = 1_000_000;
  const answers: ((result: FetchResult) => void)[] = [];
  const news: string[] = [];
  let asked = 0;
  const fetchDocument: FetchDocument = () => {
    asked++;
    return new Promise((resolve) => answers.push(resolve));
  };
  const documents = createSharedDocuments({
    fetchDocument,
    nowMs: () => nowMs,
    onNews: (source) => news.push(source),
  });
  return {
    documents,
    news,
    get asked() {
      return asked;
    },
    answer: (result: FetchResult) => answers.shift()?.(result),
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

function ask(seen: number, over: Partial<DocumentAsk['request']> = {}): DocumentAsk {
  const request = {
    url: 'https://id.example/jwks',
    headers: {},
    timeoutMs: 1_000,
    maxBytes: 1_000,
    ca: undefined,
    validators: {},
    skipCaches: false,
    reuseMs: 60_000,
    source: 'https://id.example/jwks',
    ...over,
  };
  return { request, seen };
}

test('asks that come together are one fetch; the others get copies', async () => {
  const at = provider();
  const all = [0, 0, 0].map((seen) => at.documents.fetch(ask(seen)));
  expect(at.asked).toBe(1);
  at.answer(document('a'));
  const [first, ...others] = await Promise.all(all);
  expect(first?.result).toEqual(document('a'));
  for (const other of others) expect(other.result).toMatchObject({ text: 'a', copied: { ageMs: 0 } });
});

test('an answer serves each worker once: who asks again wants to know what has become of it', async () => {
  const at = provider();
  const first = at.documents.fetch(ask(0));
  at.answer(document('a'));
  const { serial } = await first;
  at.pass(5_000);
  expect((await at.documents.fetch(ask(0))).result).toMatchObject({ text: 'a', copied: { ageMs: 5_000 } });
  expect(at.asked).toBe(1);
  const again = at.documents.fetch(ask(serial));
  expect(at.asked).toBe(2);
  at.answer(document('b'));
  expect((await again).result).toEqual(document('b'));
});

test('an answer that is too old for its asker is none', async () => {
  const at = provider();
  const first = at.documents.fetch(ask(0));
  at.answer(document('a'));
  await first;
  at.pass(60_000);
  void at.documents.fetch(ask(0));
  expect(at.asked).toBe(2);
});

test('a search for a new kid past caches takes no answer that a cache may have given', async () => {
  const at = provider();
  const first = at.documents.fetch(ask(0));
  at.answer(document('a'));
  await first;
  void at.documents.fetch(ask(0, { skipCaches: true }));
  expect(at.asked).toBe(2);
});

test.each([
  ['URL', { url: 'https://id.example/other' }],
  ['credential', { headers: { authorization: 'Bearer of-another-tenant' } }],
  ['certificate authority', { ca: 'another' }],
])('what one asked for is no answer to who asks with another %s', async (_what, over) => {
  const at = provider();
  const first = at.documents.fetch(ask(0));
  at.answer(document('a'));
  await first;
  void at.documents.fetch(ask(0, over));
  expect(at.asked).toBe(2);
});

test('"not modified" is an answer to those alone who hold the same', async () => {
  const at = provider();
  const held = { validators: { etag: 'a' } };
  const first = at.documents.fetch(ask(0, held));
  at.answer({ kind: 'notModified', lifetimeMs: undefined });
  await first;
  expect((await at.documents.fetch(ask(0, held))).result).toMatchObject({ kind: 'notModified', copied: {} });
  void at.documents.fetch(ask(0, { validators: { etag: 'older' } }));
  expect(at.asked).toBe(2);
});

test('a failure is told to who has asked before, and not to a worker that is new', async () => {
  const at = provider();
  const first = at.documents.fetch(ask(0));
  at.answer(failed);
  const { serial } = await first;
  expect(serial).toBe(1);
  const second = at.documents.fetch(ask(serial));
  at.answer(failed);
  await second;
  expect((await at.documents.fetch(ask(serial))).result).toMatchObject({ kind: 'failed', copied: {} });
  expect(at.asked).toBe(2);
  void at.documents.fetch(ask(0));
  expect(at.asked).toBe(3);
});

test('what has changed, or is there again, is news; the first answer, and what is as before, is none', async () => {
  const at = provider();
  let seen = 0;
  const fetch = async (result: FetchResult) => {
    const answer = at.documents.fetch(ask(seen));
    at.answer(result);
    seen = (await answer).serial;
    return at.news.splice(0).length;
  };
  expect(await fetch(document('a'))).toBe(0);
  expect(await fetch(document('a'))).toBe(0);
  expect(await fetch({ kind: 'notModified', lifetimeMs: undefined })).toBe(0);
  expect(await fetch(document('b'))).toBe(1);
  expect(await fetch(failed)).toBe(0);
  expect(await fetch(failed)).toBe(0);
  expect(await fetch(document('b'))).toBe(1);
  expect(await fetch(failed)).toBe(0);
  expect(await fetch({ kind: 'notModified', lifetimeMs: undefined })).toBe(1);
});
