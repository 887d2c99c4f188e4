import { isIP } from 'node:net';
import * as z from 'zod';
import { accessLog } from './access-log.ts';
import { admin } from './admin.ts';
import { cors } from './cors.ts';
import { errors } from './errors.ts';
import { joinFields, lazyFields, lazyObject, optional } from './lazy-fields.ts';
import { http2, listenAddress, listener } from './listener.ts';
import { mode } from './mode.ts';
import { replay } from './replay.ts';
import { revoked } from './revoked.ts';
import { tenant, tenantId } from './tenant.ts';
import { tracing } from './tracing.ts';
import { upstream } from './upstream.ts';
import { count, duration, flag, size, words } from './values.ts';
import { verify } from './verify.ts';

function isCidr(text: string): boolean {
  const [address, bits, ...rest] = text.split('/');
  const version = isIP(address ?? '');
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

const proxyRange = z.string().refine((text) => text === 'unix' || isCidr(text), {
  error: 'must be an address range such as 10.0.0.0/8 or fd00::/8, or unix',
});

/** `auto` makes no more of them either. */
export const mostWorkers = 64;

/** Every key of the main file but `tenants`, `templates` and `include`, which are gathered over all files. */
export const globalFields = lazyFields({
  listen: () =>
    listener
      .prefault('0.0.0.0:8080')
      .describe(
        'Where requests come in: "host:port", "unix:/path", or {address, tls: {cert, key, …}}. Default: 0.0.0.0:8080.',
      ),
  upstream: optional(() =>
    upstream.describe('Where requests go: a URL, unix:/path, or {url, …}. A tenant may have its own.'),
  ),
  ops: () =>
    z
      .union([z.literal('off'), listenAddress()], { error: 'must be "host:port", "unix:/path" or off' })
      .prefault('0.0.0.0:9901')
      .describe(
        'Where /livez, /readyz and /metrics answer, for kubelet and Prometheus: "host:port", "unix:/path" or `off`. Default: 0.0.0.0:9901.',
      ),
  admin: () =>
    admin
      .prefault('off')
      .describe(
        'Where operators look: recent refusals and why, and explanations on request: "host:port" (keep it on loopback: it asks nobody who they are), "unix:/path", {address, hosts} or `off`. Default: off.',
      ),
  verify: optional(() =>
    verify.describe(
      'Where another proxy asks whether a request of its own may pass (nginx auth_request, Traefik ForwardAuth, Caddy forward_auth, Envoy ext_authz, HAProxy): {address, front}. Only peers in trustedProxies may ask. Default: nowhere.',
    ),
  ),
  watch: () =>
    flag().prefault(false).describe('true: reload when a file of the config changes, as SIGHUP does. Default: false.'),
  lane: () =>
    z
      .enum(['auto', 'node'])
      .prefault('auto')
      .describe(
        "`auto`: ordinary requests take the fast lane, jwtgate's own strict HTTP parser, and all others the node lane, Node's. `node`: all of HTTP/1.1 take the node lane; HTTP/2 has a lane of its own. Default: auto.",
      ),
  http2: optional(() =>
    http2().describe(
      'HTTP/2 for clients that come over TLS and ask for it (ALPN), beside HTTP/1.1: true, false, or {maxStreams}. Default: true.',
    ),
  ),
  workers: () =>
    z
      .union([z.literal('auto'), count(1, mostWorkers)], {
        error: `must be auto, or a whole number from 1 to ${mostWorkers}`,
      })
      .prefault(1)
      .describe(
        'How many processes serve, one core each; `auto`: as many as the cores that the machine and the control group give. 1: no process but this one. Default: 1.',
      ),
  mode: () =>
    mode
      .prefault('enforce')
      .describe(
        '`report` for all tenants, and for requests of no tenant: nothing that is well-formed HTTP is refused; what would be is logged, counted and let through without identity headers. For the first days. Default: enforce.',
      ),
  trustedProxies: () =>
    z
      .array(proxyRange)
      .prefault([])
      .describe(
        'Address ranges whose X-Forwarded-* and Forwarded headers are believed (`unix`: whoever comes by a unix socket); from anyone else they are replaced. Default: none.',
      ),
  limits: () =>
    lazyObject({
      headerBytes: () =>
        size(1024, 1024 * 1024)
          .prefault('16KiB')
          .describe('Most bytes of a request head: request line and headers. Default: 16KiB.'),
      headerCount: () => count(1, 10_000).prefault(100).describe('Most headers of a request. Default: 100.'),
      tokenBytes: () =>
        size(128, 1024 * 1024)
          .prefault('8KiB')
          .describe('Longest token. Default: 8KiB.'),
      bodyBytes: () =>
        size(0, 64 * 1024 * 1024)
          .prefault('64KiB')
          .describe('Longest body that a rule reads; other bodies stream, of any length. Default: 64KiB.'),
    })
      .prefault({})
      .describe('What a request may have at most.'),
  timeouts: () =>
    lazyObject({
      header: () =>
        duration({ minMs: 100 })
          .prefault('10s')
          .describe('From the first byte of a request to the end of its head. Default: 10s.'),
      idle: () =>
        duration({ minMs: 100 })
          .prefault('75s')
          .describe(
            'Between requests on a connection, and without a byte in either direction of a stream. Default: 75s.',
          ),
      connect: () => duration({ minMs: 10 }).prefault('5s').describe('To connect to the upstream. Default: 5s.'),
      response: () =>
        duration({ minMs: 10 })
          .prefault('60s')
          .describe("From the end of the request to the head of the upstream's response. Default: 60s."),
      drainDelay: () =>
        duration()
          .prefault('0s')
          .describe(
            'From a stop signal until no more connections are accepted: readiness says no at once, and load balancers need a while to notice. 5s to 15s behind one. Default: 0s.',
          ),
      drain: () =>
        duration()
          .prefault('25s')
          .describe(
            "How long a stop waits, after that, for exchanges under way. Keep both together below the pod's terminationGracePeriodSeconds. Default: 25s.",
          ),
    })
      .prefault({})
      .describe('How long things may take.'),
  verdictCache: () =>
    lazyObject({
      entries: () =>
        count(0, 10_000_000)
          .prefault(10_000)
          .describe('Most tokens whose checked signature is remembered; 0 turns it off. Default: 10000.'),
      bytes: () =>
        size(0, 8 * 1024 ** 3)
          .prefault('32MiB')
          .describe('Most memory for them. Default: 32MiB.'),
    })
      .prefault({})
      .describe(
        'Signatures that were checked before. Times, claims and bindings are judged on every request all the same.',
      ),
  log: () =>
    lazyObject({
      level: () =>
        z
          .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
          .prefault('info')
          .describe('Least severe level that is logged. Default: info.'),
      format: () =>
        z
          .enum(['auto', 'json', 'text'])
          .prefault('auto')
          .describe('`auto`: text in a terminal, JSON elsewhere. Default: auto.'),
      access: () =>
        accessLog
          .prefault(true)
          .describe('One line a request: true, false, or {fields, claims, sample} for what it holds. Default: true.'),
    })
      .prefault({})
      .describe('What is logged, to standard output. Tokens and secrets never are.'),
  tracing: optional(() =>
    tracing.describe(
      "Where spans go: {endpoint, …}, or `off` whatever the environment says. OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER …) go before this. Default: what they say.",
    ),
  ),
  revoked: optional(() =>
    revoked.describe('List of tokens of any tenant that are not accepted any more: {file} or {url, …}. Default: none.'),
  ),
  replay: optional(() =>
    replay.describe('Tokens are for one request each: for tenants that say nothing else. Default: off.'),
  ),
  cors: optional(() =>
    cors.describe(
      'Which web pages may call (CORS): for tenants that say nothing else, and where tenants are recognised by their tokens, which preflights do not carry.',
    ),
  ),
  errors: optional(() =>
    errors.describe("How refusals look before a tenant is known, and what a tenant's own `errors` is laid upon."),
  ),
});

const globals = z.strictObject(globalFields);

/** The main file's own keys, with defaults filled in. */
export type GlobalConfig = z.output<typeof globals>;

export type WorkersConfig = GlobalConfig['workers'];

/** Keys that every file may have. */
export const sharedFields = lazyFields({
  templates: optional(() => z.record(tenantId, tenant).describe('Named partial tenants, for what many tenants share.')),
  tenants: optional(() =>
    z.record(tenantId, tenant).describe('The tenants, by id. The id is `${tenant}` in their values.'),
  ),
  include: optional(() =>
    z
      .array(words())
      .describe(
        'More files with tenants, templates or includes: paths or patterns (tenants.d/*.yaml), relative to this file.',
      ),
  ),
});

/** The whole of a main file: for the JSON Schema and for finding one's way in it. Loading checks its parts one by one. */
export const config = z.strictObject(joinFields(globalFields, sharedFields));
