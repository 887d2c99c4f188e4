import { BlockList, isIPv6 } from 'node:net';

/** Compiles `trustedProxies` to a test of socket peers; "" is the peer on a unix socket. */
export function compileTrustedProxies(ranges: readonly string[]): (peer: string) => boolean {
  if (ranges.length === 0) return () => false;
  const list = new BlockList();
  const unixTrusted = ranges.includes('unix');
  for (const range of ranges) {
    if (range === 'unix') continue;
    const [address, bits] = range.split('/') as [string, string | undefined];
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (peer) => {
    if (peer === '') return unixTrusted;
    // A dual-stack listener shows IPv4 peers as ::ffff:10.0.0.1.
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(peer)?.[1];
    if (mapped !== undefined) return list.check(mapped, 'ipv4');
    return list.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4');
  };
}
