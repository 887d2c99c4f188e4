import type { ConfigPath } from '../config-path.ts';
import type { FindingText, Severity } from '../finding.ts';
import { complainIn, type Load, type Section } from '../model.ts';
import type { GlobalConfig } from '../shape/config.ts';
import type { ListenAddress } from '../shape/listener.ts';

/** The main file's own keys, held against each other. */
export function checkGlobals(globals: Section<GlobalConfig>, load: Load): void {
  const say = (path: ConfigPath, text: FindingText, severity: Severity) =>
    complainIn(load, globals, path, text, severity);
  const { listen, ops, admin, verify, tracing, trustedProxies, timeouts, http2 } = globals.config;
  if (ops !== 'off' && sameListener(listen.address, ops)) {
    say(['ops'], { message: 'is where listen is', hint: 'give it a port of its own' }, 'error');
  }
  if (admin !== undefined) {
    const taken = others(globals.config).find(
      ({ name, address }) => name !== 'admin' && sameListener(address, admin.address),
    );
    if (taken !== undefined) {
      say(['admin'], { message: `is where ${taken.name} is`, hint: 'give it a port of its own' }, 'error');
    }
    if (admin.address.kind === 'tcp' && !isLoopback(admin.address.host)) {
      const message = 'is open to the network, and asks nobody who they are';
      say(['admin'], { message, hint: 'keep it on 127.0.0.1 or a unix socket' }, 'warning');
    }
  }
  if (verify !== undefined) {
    const { address } = verify;
    const taken = others(globals.config).find((other) => sameListener(other.address, address));
    if (taken !== undefined) {
      say(['verify', 'address'], { message: `is where ${taken.name} is`, hint: 'give it a port of its own' }, 'error');
    }
    const mayAsk = (range: string) => (range === 'unix') === (address.kind === 'unix');
    if (!trustedProxies.some(mayAsk)) {
      const message = 'nobody may ask here: trustedProxies names no peer that could';
      const hint = address.kind === 'unix' ? 'trustedProxies: [unix]' : 'e.g. trustedProxies: [127.0.0.1]';
      say(['verify'], { message, hint }, 'error');
    }
  }
  if (http2 !== undefined && http2 !== 'off' && listen.tls === undefined) {
    say(['http2'], { message: 'is spoken over TLS alone', hint: 'give listen its tls' }, 'warning');
  }
  if (tracing !== undefined && tracing !== 'off' && tracing.endpoint === undefined) {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = load.deps.env;
    const hint = 'e.g. endpoint: http://collector:4318';
    if (!all && !traces) say(['tracing'], { message: 'has no endpoint, so nothing is traced', hint }, 'warning');
  }
  for (const [index, range] of trustedProxies.entries()) {
    if (!range.endsWith('/0')) continue;
    const message = 'believes every client about where its requests come from';
    say(['trustedProxies', index], { message, hint: 'name the addresses of your own proxies' }, 'warning');
  }
  if (globals.config.mode === 'report') {
    const message = 'refuses nothing: every well-formed request goes on, whoever sends it';
    say(['mode'], { message, hint: 'for the first days; docs/report-mode.md tells what comes after them' }, 'warning');
    if (globals.config.upstream === undefined) {
      const hint = 'give it a top-level upstream';
      say(
        ['mode'],
        { message: 'a request of no tenant is refused all the same: it has nowhere to go', hint },
        'warning',
      );
    }
  }
  if (timeouts.connect > timeouts.response) {
    say(['timeouts', 'connect'], { message: 'is longer than timeouts.response' }, 'warning');
  }
}

/** The listeners that were there first. */
function others({ listen, ops, admin }: GlobalConfig): { readonly name: string; readonly address: ListenAddress }[] {
  return [
    { name: 'listen', address: listen.address },
    ...(ops === 'off' ? [] : [{ name: 'ops', address: ops }]),
    ...(admin === undefined ? [] : [{ name: 'admin', address: admin.address }]),
  ];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function sameListener(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === 'unix' || b.kind === 'unix')
    return a.kind === b.kind && 'path' in a && 'path' in b && a.path === b.path;
  if (a.port !== b.port || a.port === 0) return false;
  const everywhere = (host: string) => host === '' || host === '0.0.0.0' || host === '::';
  return a.host === b.host || everywhere(a.host) || everywhere(b.host);
}
