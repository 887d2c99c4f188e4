import type { BenchCase } from './bench-case.ts';
import { bodyCases } from './bodies.ts';
import { cachedTokenCases, connectCase } from './cached-tokens.ts';
import { flatMemoryCase } from './flat-memory.ts';
import { floodCase } from './flood.ts';
import { freshTokenCases } from './fresh-tokens.ts';
import { halfLoadCase } from './half-load.ts';
import { idleConnectionsCase } from './idle-connections.ts';
import { tlsCases } from './over-tls.ts';
import { startCase } from './start.ts';

export const allCases: readonly BenchCase[] = [
  startCase,
  ...cachedTokenCases,
  ...freshTokenCases,
  ...bodyCases,
  connectCase,
  halfLoadCase,
  floodCase,
  idleConnectionsCase,
  flatMemoryCase,
  ...tlsCases,
];
