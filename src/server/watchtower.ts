import type { Settings } from '../config/settings.ts';
import { createAdminListener } from '../ops/admin-listener.ts';
import type { OperatorListener } from '../ops/operator-listener.ts';
import { createOpsListener, type OpsRoutes } from '../ops/ops-listener.ts';
import { bindUnixPath } from '../wire/listen-address.ts';
import { type AdminSources, adminRoutes } from './admin-routes.ts';
import { type CannotListen, cannotListen } from './cannot-listen.ts';
import { keepHistory } from './keep-history.ts';
import { type StatusSources, statusRoutes } from './status-routes.ts';

/** The listeners on which operators look: for probes and metrics, and for the status page and its questions. */
export interface Watchtower {
  readonly kind: 'open';
  /** As bound; undefined: there is none. */
  readonly opsAddress: string | undefined;
  readonly adminAddress: string | undefined;
  close(): Promise<void>;
}

export type WatchtowerStart = Watchtower | CannotListen;

export interface WatchtowerParts {
  readonly settings: Pick<Settings, 'ops' | 'admin'>;
  readonly routes: OpsRoutes;
  readonly adminSources: AdminSources;
  readonly statusSources: Omit<StatusSources, 'history'>;
}

/** Opens them both, or neither. */
export async function openWatchtower(parts: WatchtowerParts): Promise<WatchtowerStart> {
  const { settings, routes, adminSources, statusSources } = parts;
  const kept = settings.admin && keepHistory(async () => (await statusSources.overview()).measured);
  let admin: OperatorListener | undefined;
  let ops: OperatorListener | undefined;
  const close = async () => {
    kept?.stop();
    await Promise.all([ops?.close(), admin?.close()]);
  };
  if (settings.admin !== undefined && kept !== undefined) {
    const { history } = kept;
    const all = [...statusRoutes({ ...statusSources, history }), ...adminRoutes(adminSources)];
    try {
      admin = await createAdminListener({ ...settings.admin, routes: all, bindUnix: bindUnixPath });
    } catch (error) {
      await close();
      return cannotListen('admin', settings.admin.address, error);
    }
  }
  // Last, so that whoever can ask can be told of all.
  if (settings.ops !== undefined) {
    try {
      ops = await createOpsListener(settings.ops, routes, bindUnixPath);
    } catch (error) {
      await close();
      return cannotListen('ops', settings.ops, error);
    }
  }
  return { kind: 'open', opsAddress: ops?.address, adminAddress: admin?.address, close };
}
