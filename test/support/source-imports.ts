import { globSync, readFileSync } from 'node:fs';
import { posix, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface SourceFile {
  /** From the project's root, with forward slashes. */
  readonly path: string;
  /** Without comments. */
  readonly code: string;
}

export interface Import {
  readonly from: string;
  /** A project path for our own files, else the specifier as written. */
  readonly to: string;
  readonly typeOnly: boolean;
}

/** Every TypeScript file under src/. */
export function sourceFiles(): SourceFile[] {
  return globSync('src/**/*.ts', { cwd: root })
    .sort()
    .map((path) => ({ path, code: withoutComments(readFileSync(resolve(root, path), 'utf8')) }));
}

/** What a file imports or re-exports, statically or by `import()`. */
export function importsOf({ path, code }: SourceFile): Import[] {
  const statement = /\b(?:import|export)\s+(type\s)?[^;'"()]*?from\s*'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g;
  return [...code.matchAll(statement)].map(([, type, named, bare]) => ({
    from: path,
    to: project(path, (named ?? bare) as string),
    typeOnly: type !== undefined,
  }));
}

function project(from: string, specifier: string): string {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : specifier;
}

/** Line comments only where they begin a line or follow white space: never inside "http://…". */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}
