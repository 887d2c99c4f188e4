import { headerValues, type RequestHead } from '../gate/request-head.ts';

/**
 * The client's address for the log: the peer's own, or, where the peer is a trusted proxy, the last address in
 * X-Forwarded-For that is not one (what stands further left is hearsay). At most 64 characters.
 */
export function clientAddress(head: RequestHead, isTrustedProxy: (address: string) => boolean): string {
  if (!isTrustedProxy(head.peer)) return head.peer;
  const hops = headerValues(head, 'x-forwarded-for').join(',').split(',');
  let nearest = head.peer;
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = (hops[i] as string).trim();
    if (hop === '') break;
    nearest = hop;
    if (!isTrustedProxy(hop)) break;
  }
  return nearest.slice(0, 64);
}
