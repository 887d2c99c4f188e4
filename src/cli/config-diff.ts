import { resolve } from 'node:path';
import { formatPath } from '../config/config-path.ts';
import { diskDeps } from '../config/deps.ts';
import { type Change, type ConfigDiff, diffConfigs, isSame } from '../config/diff-config.ts';
import { type EffectiveConfig, readEffectiveConfig } from '../config/effective-config.ts';
import { type EffectiveNode, shownValue } from '../config/effective-tree.ts';
import { formatProblems } from '../config/format-problems.ts';
import { exitCodes } from './exit-codes.ts';
import { wantsColor } from './wants-color.ts';

export interface ConfigDiffOptions {
  readonly json?: true;
  /** Only whether there is a difference. */
  readonly quiet?: true;
}

/** Tells what of the effective config differs between two files: 0 nothing, 1 something, 78 where one has problems. */
export async function diffConfigFiles(
  before: string,
  after: string,
  { json, quiet }: ConfigDiffOptions,
): Promise<number> {
  const [a, b] = [await read(before), await read(after)];
  if (a === undefined || b === undefined) return exitCodes.config;
  const diff = diffConfigs(a, b);
  if (!diff.contentsCompared) {
    process.stderr.write(
      'jwtgate: not all files that the values name could be read: their contents were not compared; jwtgate validate says why\n',
    );
  }
  if (!quiet)
    process.stdout.write(
      json ? `${JSON.stringify(toJson(diff), null, 2)}\n` : textOf(diff, wantsColor(process.stdout)),
    );
  return isSame(diff) ? exitCodes.ok : exitCodes.no;
}

async function read(file: string): Promise<EffectiveConfig | undefined> {
  const config = await readEffectiveConfig(resolve(file), diskDeps(process.env), { withContents: true });
  if (config.ok) return config;
  process.stderr.write(formatProblems(config.problems, { color: wantsColor(process.stderr) }));
  return undefined;
}

const contentsText = 'the content of a file or variable that it names';
const signs = { added: '+', removed: '-', changed: '~' } as const;
const colors = { added: 32, removed: 31, changed: 33 } as const;

function textOf(diff: ConfigDiff, color: boolean): string {
  const line = (kind: Change['kind'], text: string, indent = ''): string => {
    const whole = `${indent}${signs[kind]} ${text}`;
    return color ? `\x1b[${colors[kind]}m${whole}\x1b[0m` : whole;
  };
  const lines = [
    ...diff.globals.map((change) => line(change.kind, describe(change))),
    ...diff.removed.map((id) => line('removed', formatPath(['tenants', id]))),
    ...diff.added.map((id) => line('added', formatPath(['tenants', id]))),
  ];
  for (const [id, { changes, contents }] of diff.changed) {
    lines.push(line('changed', formatPath(['tenants', id])));
    lines.push(...changes.map((change) => line(change.kind, describe(change), '    ')));
    if (contents) lines.push(line('changed', contentsText, '    '));
  }
  if (diff.contents) lines.push(line('changed', contentsText));
  return lines.map((text) => `${text}\n`).join('');
}

function describe({ path, kind, before, after, isSecret }: Change): string {
  const place = formatPath(path);
  if (isSecret) return kind === 'changed' ? `${place}: changed (not shown)` : `${place}: (not shown)`;
  if (kind === 'added') return `${place}: ${brief(after)}`;
  if (kind === 'removed') return `${place}: ${brief(before)}`;
  return `${place}: ${brief(before)} → ${brief(after)}`;
}

const longestValue = 200;

/** On one line, as JSON where it is more than a word. */
function brief(node: EffectiveNode | undefined): string {
  if (node === undefined) return '';
  const value = shownValue(node);
  const text = typeof value === 'string' && /^[\w./:@*-]+$/.test(value) ? value : JSON.stringify(value);
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text;
}

function toJson(diff: ConfigDiff): object {
  const changed = Object.fromEntries(
    [...diff.changed].map(([id, { changes, contents }]) => [id, { changes: changes.map(changeToJson), contents }]),
  );
  const { added, removed, globals, contents, contentsCompared } = diff;
  return {
    same: isSame(diff),
    tenants: { added, removed, changed },
    globals: globals.map(changeToJson),
    contents,
    contentsCompared,
  };
}

function changeToJson({ path, kind, before, after, isSecret }: Change): object {
  const place = { path: formatPath(path), kind };
  if (isSecret) return { ...place, secret: true };
  return {
    ...place,
    ...(before === undefined ? {} : { before: shownValue(before) }),
    ...(after === undefined ? {} : { after: shownValue(after) }),
  };
}
