import { type Dimension, hostSuffix, type ShapeMember, type ShapeMembers } from './match-shape.ts';

/** Two tenants that could claim the same request, and the `match` entries by which they do. */
export interface Overlap {
  readonly tenants: readonly [string, string];
  /** Index in each tenant's `match` list. */
  readonly alternatives: readonly [number, number];
}

/** Enough to mend a config by; a mistake in a template would otherwise print 100,000 of them. */
const mostReported = 50;

export interface Overlaps {
  readonly overlaps: readonly Overlap[];
  readonly contests: readonly Overlap[];
}

/**
 * Compares all tenants' `match` pairwise by shape, so that the cost grows with tenants × shapes and not with tenants².
 *
 * Where one alternative looks at all that the other looks at, and their values agree, each request of the narrower one
 * is also the wider one's: an overlap, which no config may have. Where each looks at something that the other does
 * not (a path here, an issuer there), only a request that carries both is contested: it is refused when it comes, and
 * one example for each pair of shapes is reported. Yields after each alternative.
 */
export function* findOverlaps(shapes: readonly ShapeMembers[]): Generator<void, Overlaps> {
  const overlaps: Overlap[] = [];
  const contests: Overlap[] = [];
  for (const [index, left] of shapes.entries()) {
    for (const right of shapes.slice(index)) {
      const common = commonDimensions(left, right);
      const comparable =
        common.pairs.length === left.shape.dimensions.length || common.pairs.length === right.shape.dimensions.length;
      if (common.disjoint || excludeEachOther(left, right)) continue;
      const target = comparable ? overlaps : contests;
      const most = comparable ? mostReported - overlaps.length : 1;
      if (most > 0) target.push(...(yield* join(left, right, common.pairs, most)));
    }
  }
  return { overlaps, contests };
}

/** Basic credentials and a token in one request are refused whoever they name: no contest worth a warning. */
function excludeEachOther(left: ShapeMembers, right: ShapeMembers): boolean {
  const basic = ({ shape }: ShapeMembers) => shape.dimensions.some(({ subject }) => subject === 'basicUser');
  return (basic(left) && right.shape.needsToken) || (basic(right) && left.shape.needsToken);
}

interface DimensionPair {
  readonly left: number;
  readonly right: number;
  /** Values that a request could meet on both sides project to the same text; undefined: to none. */
  readonly projectLeft: (value: string) => string | undefined;
  readonly projectRight: (value: string) => string | undefined;
}

function commonDimensions(left: ShapeMembers, right: ShapeMembers): { pairs: DimensionPair[]; disjoint: boolean } {
  const pairs: DimensionPair[] = [];
  for (const [leftIndex, a] of left.shape.dimensions.entries()) {
    const rightIndex = right.shape.dimensions.findIndex(({ subject }) => subject === a.subject);
    if (rightIndex === -1) continue;
    const projections = project(a, right.shape.dimensions[rightIndex] as Dimension);
    if (projections === undefined) return { pairs: [], disjoint: true };
    pairs.push({ left: leftIndex, right: rightIndex, projectLeft: projections[0], projectRight: projections[1] });
  }
  return { pairs, disjoint: false };
}

type Projection = (value: string) => string | undefined;
const whole: Projection = (value) => value;

/** Undefined where no request can meet both forms (paths of different lengths). */
function project(a: Dimension, b: Dimension): readonly [Projection, Projection] | undefined {
  if (a.form === b.form) return [whole, whole];
  if (a.subject === 'host') return projectHosts(a.suffixLabels, b.suffixLabels);
  if (a.subject === 'path') return projectPaths(a, b);
  // One wants a value, the other its absence.
  return undefined;
}

function projectHosts(a: number | undefined, b: number | undefined): readonly [Projection, Projection] {
  const labels = Math.min(a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY);
  const to = (own: number | undefined): Projection => {
    if (own === labels) return whole;
    return (value) => hostSuffix(value, labels);
  };
  return [to(a), to(b)];
}

function projectPaths(a: Dimension, b: Dimension): readonly [Projection, Projection] | undefined {
  const [p, q] = [a.pattern, b.pattern];
  if (p === undefined || q === undefined) return undefined;
  const tooLong = (one: typeof p, other: typeof p) => !other.rest && one.pieces.length > other.pieces.length;
  const tooShort = (one: typeof p, other: typeof p) => !one.rest && one.pieces.length < other.pieces.length;
  if (tooLong(p, q) || tooLong(q, p) || tooShort(p, q) || tooShort(q, p)) return undefined;
  const literalIn = (pattern: typeof p, index: number) => pattern.pieces[index]?.kind === 'literal';
  const both = p.pieces.flatMap((_, index) => (literalIn(p, index) && literalIn(q, index) ? [index] : []));
  const projection = (pattern: typeof p): Projection => {
    const ranks = both.map((index) => pattern.pieces.slice(0, index).filter(({ kind }) => kind === 'literal').length);
    return (value) => {
      const literals = value.split('/');
      return ranks.map((rank) => literals[rank]).join('/');
    };
  };
  return [projection(p), projection(q)];
}

/** Hash join of two shapes' members on their projected values; pairs of one and the same tenant do not count. */
function* join(
  left: ShapeMembers,
  right: ShapeMembers,
  pairs: readonly DimensionPair[],
  most: number,
): Generator<void, Overlap[]> {
  const found: Overlap[] = [];
  const seen = new Map<string, ShapeMember[]>();
  const keyOf = (member: ShapeMember, side: 'left' | 'right'): string | undefined => {
    const values: string[] = [];
    for (const pair of pairs) {
      const value = (side === 'left' ? pair.projectLeft : pair.projectRight)(member.values[pair[side]] as string);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values.join('\0');
  };
  const same = left === right;
  for (const member of right.members) {
    yield;
    const key = keyOf(member, 'right');
    if (key === undefined) continue;
    const bucket = seen.get(key);
    if (bucket === undefined) seen.set(key, [member]);
    else {
      if (same) {
        const first = bucket[0] as ShapeMember;
        if (first.tenant.id !== member.tenant.id) found.push(overlapOf(first, member));
        if (found.length >= most) return found;
      }
      // Two different tenants a bucket are enough to find a partner for any third.
      if (bucket.length === 1 && bucket[0]?.tenant.id !== member.tenant.id) bucket.push(member);
    }
  }
  if (same) return found;
  for (const member of left.members) {
    yield;
    const key = keyOf(member, 'left');
    const partner = key === undefined ? undefined : seen.get(key)?.find(({ tenant }) => tenant.id !== member.tenant.id);
    if (partner !== undefined) found.push(overlapOf(member, partner));
    if (found.length >= most) return found;
  }
  return found;
}

function overlapOf(a: ShapeMember, b: ShapeMember): Overlap {
  return { tenants: [a.tenant.id, b.tenant.id], alternatives: [a.index, b.index] };
}
