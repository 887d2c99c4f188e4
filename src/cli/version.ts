// Put in by the bundler; absent when the sources run as they are.
declare const __VERSION__: string | undefined;
declare const __COMMIT__: string | undefined;

/** What is running: version and commit of jwtgate, and the runtime under it. */
export const build = {
  version: typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-dev',
  commit: typeof __COMMIT__ === 'string' ? __COMMIT__ : 'unknown',
  runtime: `node ${process.versions.node}`,
} as const;

/** Is this what a build makes: the executable, or the bundle that npm carries? Else the sources run as they are. */
export const isBuilt = typeof __VERSION__ === 'string';

/** One line for people. */
export function versionLine(): string {
  return `jwtgate ${build.version} (commit ${build.commit}, ${build.runtime})`;
}
