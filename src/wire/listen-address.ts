import { once } from 'node:events';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';

/** Where a listener binds. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** `mode`: permission bits of the socket file; default 0o660. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode?: number };

type UnixAddress = Extract<ListenAddress, { kind: 'unix' }>;

/**
 * Listens on a unix socket. A socket file that a dead process left behind is removed; one that answers, or a path that
 * is no socket, is left alone and the call rejects with EADDRINUSE.
 */
export async function bindUnixPath(server: Server, { path, mode = 0o660 }: UnixAddress): Promise<void> {
  if (await isStaleSocket(path)) await unlink(path);
  // The file is made with these bits off, so that nobody gets in before chmod.
  const previousMask = process.umask(0o777 & ~mode);
  try {
    server.listen({ path });
  } finally {
    process.umask(previousMask);
  }
  await once(server, 'listening');
  await chmod(path, mode);
}

async function isStaleSocket(path: string): Promise<boolean> {
  const isSocket = await lstat(path).then(
    (found) => found.isSocket(),
    () => false,
  );
  return isSocket && !(await isAnswered(path));
}

async function isAnswered(path: string): Promise<boolean> {
  const probe = connect({ path });
  probe.on('error', () => undefined);
  try {
    await once(probe, 'connect');
    return true;
  } catch (error) {
    // Anything but a refusal (no permission, a full queue) may be a living process.
    return (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED';
  } finally {
    probe.destroy();
  }
}
