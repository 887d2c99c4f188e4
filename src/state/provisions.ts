import { LRUCache } from 'lru-cache';

/** How a call to a provisioning endpoint ended. */
export type ProvisionResult =
  /** `untilMs`: by whoever did it this is remembered until then; default: for as long as was asked. */
  | { readonly kind: 'done'; readonly untilMs?: number | undefined }
  | { readonly kind: 'failed'; readonly detail: string };

/** Who has been provisioned: kept across reloads, so that an edit of the config calls nobody's endpoint again. */
export interface Provisions {
  /**
   * Undefined where the key is remembered; else the one call for it, joined by everyone who asks while it is under way.
   * A failure is not remembered: the next request tries again. `call` must not reject. What stands before the first
   * space of a key names a group, such as a tenant: one group's calls leave room for another's.
   */
  ensure(
    key: string,
    rememberMs: number,
    nowMs: number,
    call: () => Promise<ProvisionResult>,
  ): Promise<ProvisionResult> | undefined;
  /** Until when the key is remembered, in milliseconds since the epoch; undefined: it is not. */
  rememberedUntil(key: string, nowMs: number): number | undefined;
  readonly remembered: number;
  readonly underWay: number;
}

export interface ProvisionLimits {
  /** Keys remembered; the one used longest ago goes first, and would be provisioned once more. */
  readonly entries: number;
  /** Calls under way at once: beyond it a new key fails at once, so that no endpoint is flooded through us. */
  readonly concurrent: number;
  /** The same, of one group. */
  readonly concurrentOfGroup: number;
}

export function createProvisions({ entries, concurrent, concurrentOfGroup }: ProvisionLimits): Provisions {
  /** Key → end of its time, in milliseconds since the epoch. By size: `max` would reserve room for all at the start. */
  const done = new LRUCache<string, number>({ maxSize: entries, sizeCalculation: () => 1 });
  const flights = new Map<string, Promise<ProvisionResult>>();
  const flightsOfGroup = new Map<string, number>();
  const begin = (group: string) => flightsOfGroup.set(group, (flightsOfGroup.get(group) ?? 0) + 1);
  const end = (group: string) => {
    const left = (flightsOfGroup.get(group) ?? 0) - 1;
    if (left > 0) flightsOfGroup.set(group, left);
    else flightsOfGroup.delete(group);
  };
  const rememberedUntil = (key: string, nowMs: number) => {
    const until = done.get(key);
    return until !== undefined && nowMs < until ? until : undefined;
  };
  return {
    rememberedUntil,
    ensure(key, rememberMs, nowMs, call) {
      if (rememberedUntil(key, nowMs) !== undefined) return undefined;
      const flying = flights.get(key);
      if (flying !== undefined) return flying;
      if (flights.size >= concurrent) {
        return Promise.resolve({ kind: 'failed', detail: `${concurrent} provisioning calls are under way already` });
      }
      const [group = ''] = key.split(' ', 1);
      if ((flightsOfGroup.get(group) ?? 0) >= concurrentOfGroup) {
        const detail = `${concurrentOfGroup} provisioning calls of this tenant are under way already`;
        return Promise.resolve({ kind: 'failed', detail });
      }
      begin(group);
      const flight = call().then((result) => {
        flights.delete(key);
        end(group);
        if (result.kind === 'done') done.set(key, result.untilMs ?? nowMs + rememberMs);
        return result;
      });
      flights.set(key, flight);
      return flight;
    },
    get remembered() {
      return done.size;
    },
    get underWay() {
      return flights.size;
    },
  };
}
