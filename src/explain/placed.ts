import { formatPath } from '../config/config-path.ts';
import type { ConfigPlaces } from '../config/config-places.ts';
import type { Excerpt } from '../config/excerpt.ts';
import type { Ladder, LadderStep } from './ladder.ts';

/** Where the config says it. */
export interface StepPlace {
  /** `tenants.acme.audience` */
  readonly path: string;
  /** Undefined where only the path is known. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** The line, with whatever might be secret masked. */
  readonly excerpt?: Excerpt;
}

export interface PlacedStep extends Omit<LadderStep, 'config'> {
  /** Undefined where the config says nothing, and a default holds. */
  readonly config?: StepPlace;
}

/** A ladder as it is shown and sent: plain JSON. */
export interface PlacedLadder extends Omit<Ladder, 'steps'> {
  readonly steps: readonly PlacedStep[];
}

/** Names the place in the config's text behind each step; without `places`, its path alone. */
export function placeLadder(ladder: Ladder, places: ConfigPlaces | undefined): PlacedLadder {
  return { ...ladder, steps: ladder.steps.map((step) => placeStep(step, places)) };
}

function placeStep({ config, ...step }: LadderStep, places: ConfigPlaces | undefined): PlacedStep {
  const [first] = config;
  if (first === undefined) return step;
  if (places === undefined) return { ...step, config: { path: formatPath(first) } };
  const place = places.find(config);
  return place === undefined ? step : { ...step, config: place };
}
