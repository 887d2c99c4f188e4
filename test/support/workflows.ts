import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

/** As much of a GitHub workflow as the tests read. */
export interface Workflow {
  readonly name: string;
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Permissions;
  readonly concurrency: { readonly group: string; readonly 'cancel-in-progress': boolean | string };
  readonly jobs: Readonly<Record<string, Job>>;
}

export type Permissions = Readonly<Record<string, 'read' | 'write'>>;

export interface Job {
  readonly needs?: string | readonly string[];
  readonly environment?: string;
  readonly 'runs-on': string;
  readonly 'timeout-minutes'?: number;
  readonly permissions?: Permissions;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

const folder = resolve(import.meta.dirname, '../../.github/workflows');

/** File name → its text, and what that says; throws where one is no YAML. */
export const workflows: ReadonlyMap<string, { readonly text: string; readonly workflow: Workflow }> = new Map(
  globSync('*.yml', { cwd: folder })
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return [file, { text, workflow: parse(text) }];
    }),
);

export function stepsOf(workflow: Workflow): Step[] {
  return Object.values(workflow.jobs).flatMap(({ steps }) => steps);
}
