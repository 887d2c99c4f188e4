import { hash } from 'node:crypto';
import { posix as paths } from 'node:path';
import type { ConfigPath } from './config-path.ts';
import type { FileContent, FileFault } from './deps.ts';
import { complainIn, type Load, type Section } from './model.ts';
import { findSpan } from './places.ts';
import { decodeUtf8, faultText } from './read-files.ts';
import { config } from './shape/config.ts';
import { isShowable } from './shape/walk.ts';

/** The files that a config's values name: secrets, keys, certificates. Each is read once a load. */
export interface ReferencedFiles {
  /** The file that the value at `at` names, relative to the config file it stands in; undefined, with a problem, without. */
  read(section: Section<unknown>, at: ConfigPath, file: string): Promise<FileContent | undefined>;
  readText(section: Section<unknown>, at: ConfigPath, file: string): Promise<string | undefined>;
  /** Path and SHA-256 of every file read, in any order, for the config's hash. */
  digests(): string[];
  /** Those that a section reads. */
  digestsOf(section: Section<unknown>): readonly string[];
}

export function createReferencedFiles(load: Load): ReferencedFiles {
  const known = new Map<string, Promise<FileContent | FileFault>>();
  const digests = new Map<string, string>();
  const bySection = new Map<Section<unknown>, string[]>();

  const readOnce = (path: string): Promise<FileContent | FileFault> => {
    let content = known.get(path);
    if (content === undefined) {
      content = load.deps.readFile(path);
      known.set(path, content);
    }
    return content;
  };

  const read: ReferencedFiles['read'] = async (section, at, file) => {
    const stands = findSpan(load.places, section.raw, at, 'value')?.source.file ?? '';
    const path = paths.isAbsolute(file) ? file : paths.join(paths.dirname(stands), file);
    const content = await readOnce(path);
    if ('fault' in content) {
      complainIn(load, section, at, faultText(isPath(section, at, file) ? path : 'the file', content));
      return undefined;
    }
    let digest = digests.get(path);
    if (digest === undefined) {
      digest = hash('sha256', content.bytes);
      digests.set(path, digest);
    }
    const ofSection = bySection.get(section);
    if (ofSection === undefined) bySection.set(section, [digest]);
    else ofSection.push(digest);
    return content;
  };

  return {
    read,
    async readText(section, at, file) {
      const content = await read(section, at, file);
      const text = content && decodeUtf8(content.bytes);
      if (content !== undefined && text === undefined) {
        complainIn(load, section, at, {
          message: 'the file is not UTF-8 text',
          hint: 'keys are read in PEM or JSON form',
        });
      }
      return text;
    },
    digestsOf: (section) => bySection.get(section) ?? [],
    digests: () => [...digests].map(([path, digest]) => `${path} ${digest}`),
  };
}

/** Is it fit to be named? PEM text with a slip in its first line is taken for a path as well. */
function isPath(section: Section<unknown>, at: ConfigPath, file: string): boolean {
  return !/[\n\r]/.test(file) && isShowable(config, [...section.path, ...at], file);
}
