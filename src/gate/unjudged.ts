import type { Case } from './case.ts';
import { holdsOddToken, readLocation, type TokenLocation } from './locate.ts';

/** Where no token is judged, none travels on; a credential of another scheme that is no token does. */
export function filledLocations(this_: Case): readonly TokenLocation[] {
  const { head, target, tenant } = this_;
  const filled = tenant.locations.filter((location) => readLocation(head, target.query, location).kind !== 'empty');
  return [...filled, ...unjudgedLocations(this_, undefined)];
}

const none: readonly TokenLocation[] = [];

/**
 * Locations that hold, or may hold, a token which nobody looked at: it does not travel on, or an upstream that reads
 * tokens there would believe it. `judged`: the one location that was looked at.
 */
export function unjudgedLocations(
  { head, target, tenant }: Case,
  judged: TokenLocation | undefined,
): readonly TokenLocation[] {
  const { locations, elsewhere } = tenant;
  // An entry of Sec-WebSocket-Protocol is read in a handshake alone; in any other request it is still a token.
  let unread = none;
  for (const location of locations) {
    if (location.kind === 'websocketProtocol' && location !== judged) unread = [...unread, location];
    // Under another scheme, or none.
    else if (!isHeader(judged, location.name) && holdsOddToken(head, location)) unread = [...unread, location];
  }
  return elsewhere === undefined ? unread : [...unread, ...elsewhere.holdingTokens(head, target.query, judged)];
}

function isHeader(judged: TokenLocation | undefined, name: string): boolean {
  return judged?.kind === 'header' && judged.name === name;
}
