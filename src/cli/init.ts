import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { diskDeps, type FileContent } from '../config/deps.ts';
import { formatProblems } from '../config/format-problems.ts';
import { loadConfig } from '../config/load.ts';
import { exitCodes } from './exit-codes.ts';
import { startingConfigs } from './init-configs.ts';
import type { InitKind } from './init-kinds.ts';
import { askForAnswers } from './init-questions.ts';
import { wantsColor } from './wants-color.ts';

export interface InitOptions {
  readonly output: string;
  readonly force?: true;
  readonly upstream?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly jwks?: string;
  readonly secretEnv?: string;
}

/**
 * Writes a commented config to begin with. Asks where it is run in a terminal and was not told enough; elsewhere it asks
 * nothing. What it writes has passed `validate`. 0; 1 where there is a file already; 78 where what it was told is no config.
 */
export async function init(kind: InitKind | undefined, options: InitOptions): Promise<number> {
  const path = resolve(options.output);
  if (existsSync(path) && options.force !== true) {
    process.stderr.write(`jwtgate: ${path} is there already; --force writes over it\n`);
    return exitCodes.no;
  }
  const answers = await askForAnswers(kind, options);
  const { text, files, next } = startingConfigs[answers.kind](answers);
  // A key that is there is somebody's: it is kept, whatever else is written.
  const made = files
    .filter(({ name }) => !existsSync(join(dirname(path), name)))
    .map(({ name, make }) => ({ name, content: make() }));
  if (!(await isSound(path, text, made))) return exitCodes.config;
  try {
    for (const { name, content } of made) writePrivately(join(dirname(path), name), content);
    writeFileSync(path, text, options.force === true ? {} : { flag: 'wx' });
  } catch (error) {
    const { code, path: unwritable = path } = error as NodeJS.ErrnoException;
    const missing =
      code === 'ENOENT' ? `: ${dirname(unwritable)} does not exist, make it first` : `: ${code ?? 'failed'}`;
    process.stderr.write(`jwtgate: cannot write ${unwritable}${missing}\n`);
    return exitCodes.unavailable;
  }
  tell(
    path,
    made.map(({ name }) => name),
    next(answers),
  );
  return exitCodes.ok;
}

interface MadeFile {
  readonly name: string;
  readonly content: string;
}

/** Loads it before anything is written, as `validate` would; its problems go to stderr. */
async function isSound(path: string, text: string, made: readonly MadeFile[]): Promise<boolean> {
  const disk = diskDeps(process.env);
  const contents = new Map([[path, text], ...made.map((one) => [join(dirname(path), one.name), one.content] as const)]);
  const readFile = async (file: string): Promise<FileContent | Awaited<ReturnType<typeof disk.readFile>>> => {
    const content = contents.get(file);
    return content === undefined ? disk.readFile(file) : { bytes: Buffer.from(content), mode: 0o600 };
  };
  const loaded = await loadConfig(path, { ...disk, readFile });
  if (loaded.ok) {
    loaded.release();
    return true;
  }
  process.stderr.write(formatProblems(loaded.problems, { color: wantsColor(process.stderr) }));
  process.stderr.write('jwtgate: nothing was written\n');
  return false;
}

function writePrivately(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
}

function tell(path: string, made: readonly string[], next: readonly string[]): void {
  const lines = [
    `wrote ${path}`,
    ...made.map((name) => `wrote ${join(dirname(path), name)} (readable by you alone)`),
    '',
  ];
  const flag = basename(path) === 'config.yaml' && dirname(path) === process.cwd() ? '' : ` -c ${path}`;
  lines.push('next:', `  jwtgate validate${flag}`, `  jwtgate run${flag}`, ...next.map((one) => `  ${one}`));
  process.stdout.write(`${lines.join('\n')}\n`);
}
