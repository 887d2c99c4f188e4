import type { Labels, Manifest } from './manifests.ts';

export interface Peer {
  readonly pod: Labels;
  readonly namespace?: Labels;
}

/** Does any of these policies let that peer's connection in? Without one for the pod, everybody's. */
export function mayReach(
  policies: readonly Manifest[],
  peer: Peer,
  to: { readonly labels: Labels; readonly port: number },
): boolean {
  const own = policies.filter(({ spec }) => matches(spec.podSelector.matchLabels, to.labels));
  if (own.length === 0) return true;
  return own.some(({ spec }) =>
    spec.ingress.some(
      ({ from, ports }: { from?: readonly PolicyPeer[]; ports?: readonly { port: number }[] }) =>
        (ports === undefined || ports.some(({ port }) => port === to.port)) &&
        (from === undefined || from.some((allowed) => isPeer(allowed, peer))),
    ),
  );
}

interface PolicyPeer {
  readonly podSelector?: { readonly matchLabels: Labels };
  readonly namespaceSelector?: { readonly matchLabels: Labels };
}

function isPeer({ podSelector, namespaceSelector }: PolicyPeer, { pod, namespace }: Peer): boolean {
  // Without a namespaceSelector only the policy's own namespace is meant.
  const isThere =
    namespaceSelector === undefined
      ? namespace === undefined
      : namespace !== undefined && matches(namespaceSelector.matchLabels, namespace);
  return isThere && (podSelector === undefined || matches(podSelector.matchLabels, pod));
}

/** Does this equality-based selector choose what has these labels? */
export function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
