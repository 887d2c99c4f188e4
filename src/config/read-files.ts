import { posix as paths } from 'node:path';
import type { ConfigPath } from './config-path.ts';
import type { ConfigDeps, FileFault } from './deps.ts';
import { type FindingText, findingAt, findingInFile, type Severity } from './finding.ts';
import { interpolate } from './interpolate.ts';
import type { Load } from './model.ts';
import type { Pause } from './pacer.ts';
import { parseYaml } from './parse-yaml.ts';
import { findSpan, isPlainObject, type PlainObject } from './places.ts';
import type { Source } from './source.ts';

export interface ConfigFile {
  readonly source: Source;
  readonly value: PlainObject;
}

const mostIncludeLevels = 16;
/** Files read at a time: 100,000 small ones are mostly waiting. */
const readAhead = 64;
const wildcard = /[*?[{]/;

/**
 * Reads the main file and, breadth first, all it includes; each is parsed and its environment variables filled. The
 * main file comes first. A file that can't be read is a problem, and left out.
 */
export async function readFiles(main: string, load: Load): Promise<ConfigFile[]> {
  const files: ConfigFile[] = [];
  const known = new Set([paths.normalize(main)]);
  let wave: Wanted[] = [
    { file: main, shownAs: '', ancestors: [], report: (text) => load.report.add(findingInFile(main, text)) },
  ];
  while (wave.length > 0) {
    const next: Wanted[] = [];
    for (let start = 0; start < wave.length; start += readAhead) {
      const batch = wave.slice(start, start + readAhead);
      const contents = await Promise.all(batch.map(({ file }) => load.deps.readFile(file)));
      for (const [index, wanted] of batch.entries()) {
        await load.pause();
        const content = contents[index] as Awaited<ReturnType<ConfigDeps['readFile']>>;
        const file = await parseFile(wanted, content, load);
        if (file === undefined) continue;
        files.push(file);
        next.push(...(await findIncluded(file, wanted, known, load)));
      }
    }
    wave = next;
  }
  return files;
}

interface Wanted {
  readonly file: string;
  /** The files through whose `include` this one came, outermost first. */
  readonly ancestors: readonly string[];
  /** How a problem at that place names it. */
  readonly shownAs: string;
  /** Reports at the place that asked for the file. */
  readonly report: (text: FindingText) => void;
}

async function parseFile(
  wanted: Wanted,
  content: Awaited<ReturnType<ConfigDeps['readFile']>>,
  { deps, places, report, pause }: Load,
): Promise<ConfigFile | undefined> {
  if ('fault' in content) {
    wanted.report(faultText(wanted.shownAs, content));
    return undefined;
  }
  const text = await decodeInTurns(content.bytes, pause);
  if (text === undefined) {
    wanted.report({ message: `${wanted.shownAs} is not UTF-8 text`.trimStart() });
    return undefined;
  }
  const { source, value } = await parseYaml(wanted.file, text, places, report, pause);
  if (value === undefined) return undefined;
  if (!isPlainObject(value)) {
    const hint = 'begin with a key, e.g. "tenants:"';
    report.add(findingAt({ source, start: 0, end: 0 }, [], { message: 'must hold an object', hint }));
    return undefined;
  }
  await interpolate(value, source, deps.env, places, report, pause);
  return { source, value };
}

async function findIncluded(
  { source, value }: ConfigFile,
  wanted: Wanted,
  known: Set<string>,
  { deps, places, report }: Load,
): Promise<Wanted[]> {
  const patterns = value.include;
  if (patterns === undefined) return [];
  const complain = (path: ConfigPath, text: FindingText, severity: Severity = 'error') => {
    const span = findSpan(places, value, path, 'value') ?? { source, start: 0, end: 0 };
    report.add(findingAt(span, path, text, severity));
  };
  if (!Array.isArray(patterns)) {
    complain(['include'], { message: 'must be a list of files', hint: 'e.g. [tenants.d/*.yaml]' });
    return [];
  }
  const ancestors = [...wanted.ancestors, paths.normalize(wanted.file)];
  if (ancestors.length > mostIncludeLevels) {
    complain(['include'], { message: `files include each other more than ${mostIncludeLevels} levels deep` });
    return [];
  }
  const found: Wanted[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const path: ConfigPath = ['include', index];
    if (typeof pattern !== 'string' || pattern === '') {
      complain(path, { message: 'must be the path of a file, or a pattern such as tenants.d/*.yaml' });
      continue;
    }
    const resolved = paths.isAbsolute(pattern) ? pattern : paths.join(paths.dirname(wanted.file), pattern);
    const matches = wildcard.test(pattern) ? visible(await deps.glob(resolved), resolved) : [resolved];
    if (matches.length === 0) complain(path, { message: 'matches no file' }, 'warning');
    for (const match of matches) {
      const file = paths.normalize(match);
      if (ancestors.includes(file)) {
        complain(path, { message: `includes ${file}, which includes this file`, hint: 'take it out of the pattern' });
      } else if (!known.has(file)) {
        // By a second pattern the same file adds nothing.
        known.add(file);
        found.push({ file, shownAs: file, ancestors, report: (text) => complain(path, text) });
      }
    }
  }
  return found;
}

/**
 * Sorted, without what lies in hidden directories: Kubernetes mounts a ConfigMap as links into a directory "..data",
 * where each file would be found a second time.
 */
function visible(matches: readonly string[], pattern: string): string[] {
  const wantsHidden = /(?:^|\/)\.[^./]/.test(pattern);
  const prefix = paths.dirname(pattern.slice(0, pattern.search(wildcard) + 1));
  return matches.filter((match) => wantsHidden || !/(?:^|\/)\./.test(paths.relative(prefix, match))).toSorted();
}

const faultTexts: Readonly<Record<FileFault['fault'], string>> = {
  missing: 'does not exist',
  denied: 'may not be read by this process',
  notAFile: 'is not a file',
  tooLarge: 'is too large',
  failed: 'cannot be read',
};

/** What to say of a file that could not be read. */
export function faultText(file: string, { fault }: FileFault): FindingText {
  return { message: `${file} ${faultTexts[fault]}`.trimStart() };
}

/** Bytes of a text that are decoded in one go. */
const bytesAtOnce = 1 << 20;

/** As `decodeUtf8`, for texts of many megabytes. */
async function decodeInTurns(bytes: Uint8Array, pause: Pause): Promise<string | undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  try {
    for (let from = 0; from < bytes.length; from += bytesAtOnce) {
      text += decoder.decode(bytes.subarray(from, from + bytesAtOnce), { stream: true });
      await pause();
    }
    return text + decoder.decode();
  } catch {
    return undefined;
  }
}

/** Undefined for bytes that are not UTF-8: a replacement character in a secret or a name would go unseen. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
