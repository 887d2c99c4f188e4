import type { LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { isLoopback } from './provider-url.ts';

/**
 * Addresses that mean this machine, or what stands right beside it: loopback, "any" (which connects to loopback), and
 * link-local, where clouds keep credentials. IPv4 inside IPv6 is seen through.
 */
const ownAddresses = new BlockList();
ownAddresses.addSubnet('127.0.0.0', 8);
ownAddresses.addSubnet('0.0.0.0', 8);
ownAddresses.addSubnet('169.254.0.0', 16);
ownAddresses.addAddress('::', 'ipv6');
ownAddresses.addAddress('::1', 'ipv6');
ownAddresses.addSubnet('fe80::', 10, 'ipv6');
// As IPv4-compatible, and behind NAT64 (RFC 6052): 127.0.0.0/8 and 169.254.0.0/16.
ownAddresses.addSubnet('::7f00:0', 104, 'ipv6');
ownAddresses.addSubnet('64:ff9b::7f00:0', 104, 'ipv6');
ownAddresses.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');

export function isOwnAddress(address: string): boolean {
  const family = isIP(address.split('%', 1)[0] as string);
  return family === 0 || ownAddresses.check(address.split('%', 1)[0] as string, family === 6 ? 'ipv6' : 'ipv4');
}

/** Does this URL's host say by itself that it leads to this machine? */
export function namesOwnAddress(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return isLoopback(url) || (isIP(host) !== 0 && isOwnAddress(host));
}

/** How the name of this URL is resolved. `elsewhere`: it must not lead to this machine. */
export function lookupFor({ hostname }: URL, elsewhere: boolean, resolve: LookupFunction): LookupFunction {
  if (elsewhere) return elsewhereBy(resolve);
  return /^localhost\.?$/.test(hostname) ? lookupHere : resolve;
}

/**
 * Resolves by `resolve`, and fails where a name leads to this machine: whoever owns a name decides what it resolves to.
 * A proxy's name does not come here: Node resolves it by itself.
 */
function elsewhereBy(resolve: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '');
      const elsewhere = (addresses as LookupAddress[]).filter(({ address }) => !isOwnAddress(address));
      const [first] = elsewhere;
      if (first === undefined) return callback(Object.assign(new Error(refused), { code: refused }), '');
      if (options.all) return callback(null, elsewhere);
      callback(null, first.address, first.family);
    });
  };
}

/** Asks nobody: with plain http `localhost` is trusted, and no resolver is. */
const lookupHere: LookupFunction = (_hostname, { all }, callback) => {
  const here = all ? [loopback4, loopback6] : loopback4.address;
  // Not before the caller has gone on, as with any resolver.
  process.nextTick(callback, null, here, loopback4.family);
};

const loopback4: LookupAddress = { address: '127.0.0.1', family: 4 };
const loopback6: LookupAddress = { address: '::1', family: 6 };

const refused = 'ERR_LEADS_TO_THIS_MACHINE';
