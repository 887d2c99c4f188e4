import type { ConfigPath } from '../config-path.ts';
import type { FindingText, Severity } from '../finding.ts';
import { complainIn, type Load, type Section } from '../model.ts';
import type { GlobalConfig } from '../shape/config.ts';
import type { ListenAddress } from '../shape/listener.ts';

/** The main file's own keys, held against each other. */
export function checkGlobals(globals: Section<GlobalConfig>, load: Load): void {
  const say = (path: ConfigPath, text: FindingText, severity: Severity) =>
    complainIn(load, globals, path, text, severity);
  const { listen, ops, verify, trustedProxies, timeouts } = globals.config;
  if (ops !== 'off' && sameListener(listen.address, ops)) {
    say(['ops'], { message: 'is where listen is', hint: 'give it a port of its own' }, 'error');
  }
  if (verify !== undefined) {
    const { address } = verify;
    const taken = sameListener(listen.address, address)
      ? 'listen'
      : ops !== 'off' && sameListener(ops, address)
        ? 'ops'
        : undefined;
    if (taken !== undefined) {
      say(['verify', 'address'], { message: `is where ${taken} is`, hint: 'give it a port of its own' }, 'error');
    }
    const mayAsk = (range: string) => (range === 'unix') === (address.kind === 'unix');
    if (!trustedProxies.some(mayAsk)) {
      const message = 'nobody may ask here: trustedProxies names no peer that could';
      const hint = address.kind === 'unix' ? 'trustedProxies: [unix]' : 'e.g. trustedProxies: [127.0.0.1]';
      say(['verify'], { message, hint }, 'error');
    }
  }
  for (const [index, range] of trustedProxies.entries()) {
    if (!range.endsWith('/0')) continue;
    const message = 'believes every client about where its requests come from';
    say(['trustedProxies', index], { message, hint: 'name the addresses of your own proxies' }, 'warning');
  }
  if (timeouts.connect > timeouts.response) {
    say(['timeouts', 'connect'], { message: 'is longer than timeouts.response' }, 'warning');
  }
}

function sameListener(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === 'unix' || b.kind === 'unix')
    return a.kind === b.kind && 'path' in a && 'path' in b && a.path === b.path;
  if (a.port !== b.port || a.port === 0) return false;
  const everywhere = (host: string) => host === '' || host === '0.0.0.0' || host === '::';
  return a.host === b.host || everywhere(a.host) || everywhere(b.host);
}
