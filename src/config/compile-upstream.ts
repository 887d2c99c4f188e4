import { hash } from 'node:crypto';
import type { Upstream, UpstreamTls } from '../gate/policy.ts';
import type { WorkerShare } from './deps.ts';
import { complainIn, type Load, type Section } from './model.ts';
import { checkCertificates, checkKeyPair, readPem } from './pem-source.ts';
import { isPlainObject } from './places.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import type { WorkersConfig } from './shape/config.ts';
import type { UpstreamConfig } from './shape/upstream.ts';

/** Compiles upstreams; two that are alike in all are one object. */
export type UpstreamCompiler = (
  section: Section<{ readonly upstream?: UpstreamConfig | undefined }>,
) => Promise<Upstream | undefined>;

export function createUpstreamCompiler(load: Load, files: ReferencedFiles, workers: WorkersConfig): UpstreamCompiler {
  const known = new Map<string, Upstream>();
  /** Those that many tenants share by a template: looked at once. */
  const bySource = new Map<UpstreamConfig, Promise<Upstream | undefined>>();

  const compile = async (section: Section<unknown>, config: UpstreamConfig): Promise<Upstream | undefined> => {
    const tls = await compileTls(section, config, load, files);
    const fields = {
      ...addressOf(config.url),
      maxConnections: shareOf(config.maxConnections, load.deps.worker),
      tls,
      http2: config.http2 === true || config.url.startsWith('h2c:'),
      hostHeader: config.hostHeader,
      mediaType: config.mediaType,
      probe: config.probe,
    };
    checkTlsUse(section, config, load);
    checkShares(section, config, workers, load);
    const key = poolKey(fields);
    const identity = JSON.stringify([key, fields.basePath, fields.hostHeader, fields.mediaType, fields.probe]);
    let upstream = known.get(identity);
    if (upstream === undefined) {
      upstream = { key, ...fields };
      known.set(identity, upstream);
    }
    return upstream;
  };

  return (section) => {
    const config = section.config.upstream;
    if (config === undefined) return Promise.resolve(undefined);
    let compiled = bySource.get(config);
    if (compiled === undefined) {
      compiled = compile(section, config);
      bySource.set(config, compiled);
    }
    return compiled;
  };
}

type Address = Pick<Upstream, 'scheme' | 'host' | 'port' | 'socketPath' | 'basePath'>;

function addressOf(url: string): Address {
  if (url.startsWith('unix:')) {
    return { scheme: 'http', host: '', port: 0, socketPath: url.slice('unix:'.length), basePath: '' };
  }
  const { protocol, hostname, port, pathname } = new URL(url.replace(/^h2c:/, 'http:'));
  const scheme = protocol === 'https:' ? 'https' : 'http';
  return {
    scheme,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
    socketPath: undefined,
    basePath: pathname.replace(/\/+$/, ''),
  };
}

async function compileTls(
  section: Section<unknown>,
  { url, tls }: UpstreamConfig,
  load: Load,
  files: ReferencedFiles,
): Promise<UpstreamTls | undefined> {
  if (!url.startsWith('https:')) return undefined;
  const pem = async (name: 'ca' | 'cert' | 'key') => {
    const source = tls?.[name];
    return source === undefined ? undefined : readPem(section, ['upstream', 'tls', name], source, files);
  };
  const [ca, cert, key] = [await pem('ca'), await pem('cert'), await pem('key')];
  if (ca !== undefined) checkCertificates(section, ['upstream', 'tls', 'ca'], ca, load);
  if (cert !== undefined && key !== undefined) {
    checkKeyPair(section, ['upstream', 'tls', 'cert'], { cert, key }, load);
  }
  const compiled = { ca, cert, key, serverName: tls?.serverName, insecure: tls?.insecure ?? false };
  // Read by name, and by nothing that prints, copies or serialises a policy.
  return Object.defineProperty(compiled, 'key', { enumerable: false });
}

function checkTlsUse(section: Section<unknown>, { url, tls }: UpstreamConfig, load: Load): void {
  if (tls === undefined || !isPlainObject(section.raw.upstream)) return;
  if (!url.startsWith('https:')) {
    complainIn(load, section, ['upstream', 'tls'], { message: 'goes with an https:// URL only' }, 'error', 'key');
    return;
  }
  const alone = tls.cert === undefined ? tls.key && 'key' : tls.key === undefined && 'cert';
  if (alone) {
    const other = alone === 'key' ? 'cert' : 'key';
    complainIn(load, section, ['upstream', 'tls', alone], { message: `needs ${other} beside it` }, 'error', 'key');
  }
  if (tls.insecure === true) {
    const message = 'accepts any certificate: whoever sits between reads and changes all traffic';
    const hint = "name the upstream's CA with tls.ca";
    complainIn(load, section, ['upstream', 'tls', 'insecure'], { message, hint }, 'warning');
  }
}

function checkShares(
  section: Section<unknown>,
  { maxConnections }: UpstreamConfig,
  workers: WorkersConfig,
  load: Load,
): void {
  if (workers === 'auto' || workers <= maxConnections) return;
  const message = `is less than workers (${workers}), and each of them has at least one`;
  complainIn(load, section, ['upstream', 'maxConnections'], { message }, 'warning');
}

/** What is for all workers together is shared out; none has less than one. */
function shareOf(maxConnections: number, worker: WorkerShare | undefined): number {
  if (worker === undefined) return maxConnections;
  const { index, of } = worker;
  return Math.max(1, Math.floor(maxConnections / of) + (index <= maxConnections % of ? 1 : 0));
}

type PoolFields = Pick<Upstream, 'scheme' | 'host' | 'port' | 'socketPath' | 'maxConnections' | 'tls' | 'http2'>;

/** What connections differ by. A private key takes part by digest: pool keys turn up in dumps. */
function poolKey({ scheme, host, port, socketPath, maxConnections, tls, http2 }: PoolFields): string {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const where = socketPath === undefined ? `${scheme}://${authority}` : `unix:${socketPath}`;
  const plain = `${where} ${maxConnections}${http2 ? ' h2' : ''}`;
  if (tls === undefined) return plain;
  return `${plain} ${hash('sha256', JSON.stringify([tls, tls.key ?? null]), 'base64url')}`;
}
