import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pageDocument, pagePolicy } from '../../src/status/page-document.ts';
import { buildPageDocument, pageDocumentPath } from '../../tools/build-page.ts';

test('the document is what web/ makes: npm run page', async () => {
  expect(await buildPageDocument()).toBe(readFileSync(pageDocumentPath, 'utf8'));
});

test('it asks nobody but its own listener for anything', () => {
  const withoutNamespace = pageDocument.replaceAll('http://www.w3.org/2000/svg', '');
  expect(withoutNamespace).not.toMatch(/https?:\/\/|\bsrc=|<link|@import|url\(/);
  expect(pagePolicy).toMatch(
    /^default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-[\w+/=]+'; connect-src 'self';/,
  );
  expect(pagePolicy).not.toMatch(/unsafe|\*/);
});

test('nothing in it reads text as markup', () => {
  expect(pageDocument).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc/);
});
