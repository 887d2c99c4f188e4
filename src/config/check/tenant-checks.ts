import { clientCertificatesThere } from './client-certificates.ts';
import { audienceNamed, issuerNamed, keysPresent, upstreamPresent } from './keys-present.ts';
import { modesAgree } from './modes.ts';
import { conditionsMeant, headerNamesDiffer, locationsSound } from './names.ts';
import {
  pathVariablesExist,
  publicRoutesCheckNothing,
  routesReachable,
  routesWithinMatch,
  routeUsersRecognised,
} from './routes.ts';
import type { TenantCheck } from './tenant-facts.ts';

/** All that is held against each other within one tenant. */
export const tenantChecks: readonly TenantCheck[] = [
  keysPresent,
  audienceNamed,
  issuerNamed,
  upstreamPresent,
  modesAgree,
  routesReachable,
  routesWithinMatch,
  publicRoutesCheckNothing,
  routeUsersRecognised,
  pathVariablesExist,
  clientCertificatesThere,
  headerNamesDiffer,
  locationsSound,
  conditionsMeant,
];
