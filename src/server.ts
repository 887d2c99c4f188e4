import { diskDeps } from './config/deps.ts';
import { mostWorkers } from './config/shape/config.ts';
import type { Log } from './ops/log.ts';
import { startAlone } from './server/alone.ts';
import { createConfigSource } from './server/config-source.ts';
import { createKeptState, heldBy, type KeptState } from './server/kept-state.ts';
import type { ServerOptions, StartResult } from './server/running.ts';
import type { SharedState } from './server/workers/shared-state.ts';

export type { Server, ServerOptions, StartResult } from './server/running.ts';

/** Who serves: this process, or `size` others. */
type Role =
  | { readonly kind: 'alone'; readonly state: KeptState }
  | { readonly kind: 'primary'; readonly shared: SharedState; readonly size: number };

/** Loads the config and makes it served: by this process, or by as many as `workers` asks for. */
export async function startServer(options: ServerOptions): Promise<StartResult> {
  const { configPath, env, log } = options;
  const chosen: { role?: Role } = {};
  const source = createConfigSource(configPath, {
    ...diskDeps(env),
    async stateFor(workers) {
      chosen.role ??= await chooseRole(workers, env, log);
      return chosen.role.kind === 'alone' ? heldBy(chosen.role.state) : chosen.role.shared.held;
    },
  });
  const loadedAtMs = Date.now();
  const first = await source.load();
  if (!first.ok) return { kind: 'configRefused', problems: first.problems };

  const { role } = chosen;
  if (role === undefined) throw new Error('a config that was loaded has not asked for its state');
  const beginning = { source, first, loadedAtMs };
  if (role.kind === 'primary') {
    const { startPrimary } = await import('./server/workers/primary.ts');
    return startPrimary(options, beginning, role.shared, role.size);
  }
  source.keepNoSnapshots();
  return startAlone(options, beginning, role.state);
}

/** One process alone loads nothing of what several need. */
async function chooseRole(workers: number | 'auto', env: NodeJS.ProcessEnv, log: Log): Promise<Role> {
  const size = workers === 'auto' ? await countCores() : workers;
  if (size === 1) return { kind: 'alone', state: createKeptState(env, log) };
  const { createSharedState } = await import('./server/workers/shared-state.ts');
  return { kind: 'primary', shared: createSharedState(env), size };
}

async function countCores(): Promise<number> {
  const { availableCores } = await import('./server/workers/available-cores.ts');
  return Math.min(availableCores(), mostWorkers);
}
