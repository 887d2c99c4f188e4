// dist → what people download: an archive for each executable, and its bill of materials beside it.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Arch, archs } from '../build/runtime.ts';

/** From the repository; the executable and the licences of what is in it come from dist. */
const papers = ['LICENSE', 'README.md', 'CHANGELOG.md', 'config.example.yaml', 'config.schema.json'];

/** Compressor → its options: one thread, no name, no time, so that equal executables give equal archives. */
const compressors: Readonly<Record<string, readonly string[]>> = { xz: ['-9', '-T1'], gz: ['-9', '-n'] };
const programs: Readonly<Record<string, string>> = { xz: 'xz', gz: 'gzip' };

/** For every executable in dist, into `out`; needs GNU tar, xz and gzip. Returns the files' names; throws where there is none. */
export function makeArchives(root: string, out: string): string[] {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  mkdirSync(out, { recursive: true });
  const names = archs.flatMap((arch) => {
    const executable = findExecutable(root, arch);
    return executable === undefined ? [] : archivesOf({ root, out, executable, arch, version });
  });
  if (names.length === 0) throw new Error('no executable in dist: npm run build');
  return names;
}

/** `dist/jwtgate` is for this machine. */
function findExecutable(root: string, arch: Arch): string | undefined {
  const file = join(root, 'dist', arch === process.arch ? 'jwtgate' : `jwtgate-linux-${arch}`);
  return existsSync(file) ? file : undefined;
}

interface Built {
  readonly root: string;
  readonly out: string;
  readonly executable: string;
  readonly arch: Arch;
  readonly version: string;
}

function archivesOf({ root, out, executable, arch, version }: Built): string[] {
  const name = `jwtgate-${version}-linux-${arch}`;
  const bill = `jwtgate-linux-${arch}.cdx.json`; // Without the version, so that the workflow can name it.
  const scratch = mkdtempSync(join(tmpdir(), 'jwtgate-archive-'));
  try {
    const folder = join(scratch, name);
    mkdirSync(folder);
    copyFileSync(executable, join(folder, 'jwtgate'));
    copyFileSync(join(root, 'dist/THIRD-PARTY-LICENSES.txt'), join(folder, 'THIRD-PARTY-LICENSES.txt'));
    for (const paper of papers) copyFileSync(join(root, paper), join(folder, paper));
    chmodSync(join(folder, 'jwtgate'), 0o755);
    pack(scratch, name);
    copyFileSync(`${executable}.cdx.json`, join(out, bill));
    const packed = Object.keys(compressors).map((kind) => compress(scratch, out, `${name}.tar`, kind));
    return [...packed, bill];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Neither order, owner, time nor umask of this machine gets in. */
function pack(scratch: string, name: string): void {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u+rw,go=rX,u-s'];
  execFileSync('tar', ['--format=ustar', ...same, '-C', scratch, '-cf', join(scratch, `${name}.tar`), name]);
}

function compress(scratch: string, out: string, tar: string, kind: string): string {
  const file = `${tar}.${kind}`;
  execFileSync(programs[kind] as string, [...(compressors[kind] ?? []), '--keep', '--force', join(scratch, tar)]);
  copyFileSync(join(scratch, file), join(out, file));
  return file;
}
