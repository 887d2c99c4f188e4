// web/ → src/status/page-document.ts: the status page as one document, which source runs and the executable both carry.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, transform } from 'esbuild';

const web = join(import.meta.dirname, '..', 'web');

export const pageDocumentPath = join(import.meta.dirname, '..', 'src', 'status', 'page-document.ts');

/** The text of src/status/page-document.ts; equal sources give equal text. */
export async function buildPageDocument(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: web,
    entryPoints: ['main.ts'],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    write: false,
    tsconfig: join(web, 'tsconfig.json'),
  });
  const script = (outputFiles[0]?.text ?? '').trim();
  const style = (
    await transform(readFileSync(join(web, 'page.css'), 'utf8'), { loader: 'css', minify: true })
  ).code.trim();
  const page = readFileSync(join(web, 'page.html'), 'utf8')
    .replace('/*STYLE*/', () => style)
    .replace('/*SCRIPT*/', () => script);
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  return [
    '// Made of web/ by `npm run page`; a test holds them together.',
    '',
    '/** Content-Security-Policy (CSP level 3): runs its own script and nothing else, asks its own listener and nobody else. */',
    `export const pagePolicy = ${JSON.stringify(policy)};`,
    '',
    `export const pageDocument = ${JSON.stringify(page)};`,
    '',
  ].join('\n');
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
