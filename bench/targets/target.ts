import type { CertificateFiles } from '../certificate.ts';
import type { CorePlan } from '../machine.ts';
import type { Algorithm, Credentials } from '../tokens.ts';

export const targetNames = ['jwtgate', 'http-proxy+jose', 'httpxy+jose', 'haproxy', 'haproxy-claims', 'nginx'] as const;
export type TargetName = (typeof targetNames)[number];

/** What clients and target speak: HTTP/1.1 without TLS, or HTTP/1.1 and HTTP/2 over it. */
export type Transport = 'tcp' | 'tls';

/** What every target is given; all of them serve the same paths and forward to the same upstream. */
export interface Bench {
  /** Scratch directory, removed at the end. */
  readonly directory: string;
  readonly cores: CorePlan | undefined;
  readonly upstreamPort: number;
  readonly certificate: CertificateFiles;
  readonly credentials: Readonly<Record<Algorithm, Credentials>>;
}

/** A proxy that can be put under load. */
export interface Target {
  readonly name: TargetName;
  /** What it does for each request: said in the output, so that nobody compares unequal work unknowingly. */
  readonly work: string;
  readonly verifies: readonly Algorithm[];
  /** False for one that forwards everything: it is the floor, not a rival. */
  readonly guards: boolean;
  readonly checksExpiry: boolean;
  /** The header that tells the upstream the verified subject; undefined where the target sends none. */
  readonly subjectHeader: string | undefined;
  /** True for Node: its first ten thousand requests cost twice as much as the rest. */
  readonly compilesAsItRuns: boolean;
  readonly speaksTls: boolean;
  /** Why it can't run here; undefined when it can. */
  findObstacle(): string | undefined;
  /** Default: tcp. */
  start(bench: Bench, transport?: Transport): Promise<RunningTarget>;
}

export interface RunningTarget {
  readonly target: Target;
  readonly pid: number;
  /** Milliseconds from the start of the process to the first accepted connection. */
  readonly startMs: number;
  port(algorithm: Algorithm): number;
  stop(): Promise<void>;
}

/** Path that a request for this algorithm's tenant takes. */
export function pathFor(algorithm: Algorithm, rest: string): string {
  return `/${algorithm.toLowerCase()}/${rest}`;
}
