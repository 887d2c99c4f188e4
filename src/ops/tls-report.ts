import type { Log } from './log.ts';

/** What the metrics show of TLS. */
export interface TlsStatus {
  /** By name of the certificate: `listen`, `clientCa`. */
  readonly expiryMs: Readonly<Record<string, number>>;
  /** By how they ended. */
  readonly handshakes: ReadonlyMap<string, number>;
  /** Connections of HTTP/2 that have ended, by how. */
  readonly http2: ReadonlyMap<string, number>;
}

/** When certificates are valid; milliseconds since the epoch. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface TlsReportOptions {
  readonly log: Log;
  readonly now: () => number;
  /** Says when a certificate expires; false where another process of ours says it. Default: true. */
  readonly warns?: boolean | undefined;
  /** Of the config being served: by name; undefined where the listener speaks no TLS. */
  readonly validity: () => Readonly<Record<string, Validity | undefined>> | undefined;
}

/** Counts handshakes and connections of HTTP/2, and says in time that a certificate is going to expire. */
export interface TlsReport {
  countHandshake(end: string, detail: string): void;
  countHttp2(end: string, detail: string): void;
  /** At once, and then every hour: a line a certificate and day while it is expired, or soon will be. */
  lookAtCertificates(): void;
  status(): TlsStatus | undefined;
  close(): void;
}

const dayMs = 86_400_000;

/** A line for each kind of failure at most this often: what anyone can cause must not fill the log. */
const quietMs = 10_000;

/** People leave pages, and phones their network. */
const ordinaryEnds: ReadonlySet<string> = new Set(['complete', 'aborted']);

export function createTlsReport({ log, now, validity, warns = true }: TlsReportOptions): TlsReport {
  const handshakes = new Map<string, number>();
  const http2 = new Map<string, number>();
  const failures = new Map<string, { lastLoggedMs: number; unlogged: number }>();
  const lastWarned = new Map<string, string>();

  const logFailure = (message: string, end: string, detail: string) => {
    const kind = `${message}: ${end}`;
    const known = failures.get(kind) ?? { lastLoggedMs: Number.NEGATIVE_INFINITY, unlogged: 0 };
    failures.set(kind, known);
    known.unlogged++;
    if (now() - known.lastLoggedMs < quietMs) return;
    log.info(message, { result: end, detail, count: known.unlogged });
    known.lastLoggedMs = now();
    known.unlogged = 0;
  };

  const lookAt = (certificate: string, { fromMs, untilMs }: Validity) => {
    const leftMs = untilMs - now();
    const isSoon = leftMs < soonMs(untilMs - fromMs);
    const expires = new Date(untilMs).toISOString();
    const today = `${expires} ${leftMs <= 0} ${Math.floor(now() / dayMs)}`;
    if (!isSoon || lastWarned.get(certificate) === today) return;
    lastWarned.set(certificate, today);
    if (leftMs <= 0) log.error('certificate has expired', { certificate, expires });
    else log.warn('certificate expires soon', { certificate, expires, hours_left: Math.floor(leftMs / 3_600_000) });
  };

  const lookAtCertificates = () => {
    if (!warns) return;
    for (const [certificate, times] of Object.entries(validity() ?? {})) {
      if (times !== undefined) lookAt(certificate, times);
    }
  };
  const timer = setInterval(lookAtCertificates, 3_600_000).unref();

  return {
    countHandshake(end, detail) {
      handshakes.set(end, (handshakes.get(end) ?? 0) + 1);
      if (end !== 'complete') logFailure('tls handshakes failed', end, detail);
    },
    countHttp2(end, detail) {
      http2.set(end, (http2.get(end) ?? 0) + 1);
      if (!ordinaryEnds.has(end)) logFailure('http2 connections failed', end, detail);
    },
    lookAtCertificates,
    status() {
      const all = validity();
      if (all === undefined) return undefined;
      const expiryMs: Record<string, number> = {};
      for (const [name, times] of Object.entries(all)) if (times !== undefined) expiryMs[name] = times.untilMs;
      return { expiryMs, handshakes, http2 };
    },
    close: () => clearInterval(timer),
  };
}

/** Two weeks before, or in the last quarter of a short life: by then whatever renews it should have. */
function soonMs(lifeMs: number): number {
  return Math.min(14 * dayMs, lifeMs / 4);
}
