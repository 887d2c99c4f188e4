import { foldName } from '../gate/field-name.ts';
import { isTrailerField, keepFields } from './field-lists.ts';
import { fieldValue } from './framing.ts';

/** Trailer fields of the answer as name, value pairs. */
export function responseTrailers(rawTrailers: readonly string[]): [string, string][] {
  return trailerPairs(rawTrailers, isTrailerField);
}

/** Trailer fields of the request as name, value pairs: nothing that frames, steers, or poses as an identity header. */
export function requestTrailers(
  rawTrailers: readonly string[],
  isBarredTrailer: (name: string) => boolean,
): [string, string][] {
  // Folded, too: what an upstream makes of Content_Type where it merges trailers into headers.
  const mayStand = (lower: string) =>
    isTrailerField(lower) && isTrailerField(foldName(lower)) && !isBarredTrailer(lower);
  return trailerPairs(rawTrailers, mayStand);
}

/** Names of a request's Trailer fields that are worth announcing to the upstream. */
export function announcedTrailers(rawHeaders: readonly string[], isBarredTrailer: (name: string) => boolean): string[] {
  const names: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() !== 'trailer') continue;
    for (const part of (rawHeaders[i + 1] as string).split(',')) {
      const name = part.trim();
      if (/^[A-Za-z0-9-]+$/.test(name) && isTrailerField(name.toLowerCase()) && !isBarredTrailer(name))
        names.push(name);
    }
  }
  return names;
}

function trailerPairs(raw: readonly string[], keep: (lowerName: string) => boolean): [string, string][] {
  const kept = keepFields(raw, keep);
  const pairs: [string, string][] = [];
  for (let i = 0; i < kept.length; i += 2) {
    // Node would throw, and nobody is there to catch it.
    if (fieldValue.test(kept[i + 1] as string)) pairs.push([kept[i] as string, kept[i + 1] as string]);
  }
  return pairs;
}
