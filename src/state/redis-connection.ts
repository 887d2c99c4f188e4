export interface RedisConnectionOptions {
  /** redis:// or rediss://, with user, password and database number. */
  readonly url: string;
  /** For one command, and for one attempt to connect. */
  readonly timeoutMs: number;
  /** PEM; in place of the built-in certificate authorities, for rediss. */
  readonly ca?: string | undefined;
  readonly onEvent: (event: RedisConnectionEvent) => void;
  /**
   * Called when a key that was read here has changed since; undefined: any may have. Asks the server to tell
   * (CLIENT TRACKING, from Redis 6 on); whether it does, `tracking` says.
   */
  readonly onChanged?: ((key: string | undefined) => void) | undefined;
}

/** Names the server by host, port and database alone. */
export type RedisConnectionEvent =
  | { readonly kind: 'connected'; readonly store: string }
  | { readonly kind: 'lost'; readonly store: string; readonly detail: string };

/** A connection that is made anew for as long as it takes. */
export interface RedisConnection {
  readonly name: string;
  readonly connected: boolean;
  /** Does the server tell of keys that change? */
  readonly tracking: boolean;
  /** Never rejects; where there is no connection it fails at once. */
  send(command: readonly string[], options?: SendOptions): Promise<RedisAnswer>;
  close(): void;
}

export interface SendOptions {
  /** Text in the answer comes as Buffers. */
  readonly asBytes?: boolean;
  /** Less than the connection's own time. */
  readonly withinMs?: number;
}

export type RedisAnswer =
  | { readonly kind: 'answer'; readonly value: unknown }
  /** Refused, lost on the way, or not answered in time. */
  | { readonly kind: 'failed'; readonly detail: string };

/** What is used of the library's client. */
interface Client {
  sendCommand(words: readonly string[], options?: { readonly typeMapping: TypeMapping }): Promise<unknown>;
  destroy(): void;
}

type TypeMapping = { readonly 36?: BufferConstructor };

/** By the type byte of a bulk string, `$`. */
const bytesForText: TypeMapping = { 36: Buffer };

/**
 * A server may say by itself that it has moved, and the library would go there, password and all: to any address, by the
 * word of whoever sits at this one.
 */
export const stayingHere = { maintNotifications: 'disabled' } as const;

/** In so many words: a variable of the environment (NODE_TLS_REJECT_UNAUTHORIZED) would turn it off else. */
export const certified = { rejectUnauthorized: true } as const;

/** Asked and not answered: beyond it the next are refused at once. */
const mostWaiting = 1_000;
const firstRetryMs = 50;
const lastRetryMs = 2_000;
/** A connection that lasted less long is no reason to think that the next will last. */
const stableMs = 10_000;
/** Unanswered commands in a row after which the connection is taken for dead, whatever TCP thinks of it. */
const timeoutsToReconnect = 3;

/** Connects at once, and again after every loss, with growing waits. */
export function createRedisConnection({
  url,
  timeoutMs,
  ca,
  onEvent,
  onChanged,
}: RedisConnectionOptions): RedisConnection {
  const name = redisName(url);
  let client: Client | undefined;
  let connected = false;
  let reported: string | undefined;
  let timeouts = 0;
  let tracks = onChanged !== undefined;
  let attempts = 0;
  /** Attempts in a row that failed, or that brought a connection which did not last. */
  let failures = 0;
  let readyMs = 0;

  async function connect(attempt: number): Promise<void> {
    // Only who has something in Redis loads it.
    const redis = await import('@redis/client');
    if (attempt !== attempts) return;
    const made = redis.createClient({
      url,
      disableOfflineQueue: true,
      commandsQueueMaxLength: mostWaiting,
      ...stayingHere,
      ...(onChanged === undefined ? {} : tracks ? { RESP: 3, emitInvalidate: true } : { RESP: 2 }),
      socket: {
        ...certified,
        ...(ca === undefined ? {} : { ca }),
        connectTimeout: Math.max(timeoutMs, 100),
        // The library's own comes back at once to a server that throws it out at once.
        reconnectStrategy: false,
      },
    });
    client = made;
    made.on('error', (error: unknown) => fail(attempt, error));
    made.on('invalidate', (key: Uint8Array | null) => {
      if (attempt === attempts) onChanged?.(key?.toString());
    });
    made.on('ready', () => {
      if (attempt !== attempts) return;
      connected = true;
      readyMs = performance.now();
      reported = undefined;
      timeouts = 0;
      onEvent({ kind: 'connected', store: name });
    });
    // Who serves has listeners; a start that is refused must not hang on this.
    made.unref();
    await made.connect();
  }

  /** Lost, or never had; or what came can't be understood, and nobody knows which answer the next one is to. */
  function fail(attempt: number, error: unknown): void {
    if (attempt !== attempts) return;
    if (tracks && refusesTracking(error)) {
      tracks = false;
      begin();
    } else lose(describeRedisError(error));
  }

  function lose(detail: string): void {
    failures = connected && performance.now() - readyMs > stableMs ? 1 : failures + 1;
    const isNew = reported === undefined;
    reported = detail;
    end();
    const attempt = ++attempts;
    const waitMs = Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 6));
    setTimeout(() => attempt === attempts && begin(), waitMs).unref();
    // Every attempt to reconnect fails anew, and one line says it all.
    if (isNew) onEvent({ kind: 'lost', store: name, detail });
  }

  function begin(): void {
    end();
    const attempt = ++attempts;
    connect(attempt).catch((error: unknown) => fail(attempt, error));
  }

  function end(): void {
    connected = false;
    client?.destroy();
    client = undefined;
  }

  async function send(
    command: readonly string[],
    { asBytes = false, withinMs = timeoutMs }: SendOptions = {},
  ): Promise<RedisAnswer> {
    if (client === undefined || !connected) return { kind: 'failed', detail: reported ?? 'not connected yet' };
    const waitMs = Math.max(0, Math.min(withinMs, timeoutMs));
    const answer = await within(
      waitMs,
      client.sendCommand(command, asBytes ? { typeMapping: bytesForText } : undefined),
    );
    if (answer.kind === 'answer') timeouts = 0;
    if (answer.kind !== 'timeout') return answer;
    const detail = `no answer within ${Math.ceil(waitMs)} ms`;
    timeouts++;
    if (timeouts === timeoutsToReconnect) lose(detail);
    return { kind: 'failed', detail };
  }

  begin();
  return {
    name,
    get connected() {
      return connected;
    },
    get tracking() {
      return connected && tracks;
    },
    send,
    close() {
      attempts++;
      end();
    },
  };
}

function within(timeoutMs: number, command: Promise<unknown>): Promise<RedisAnswer | { readonly kind: 'timeout' }> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ kind: 'timeout' }), timeoutMs);
    const end = (answer: RedisAnswer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    command.then(
      (value) => end({ kind: 'answer', value }),
      (error: unknown) => end({ kind: 'failed', detail: describeRedisError(error) }),
    );
  });
}

/** A server before Redis 6, a proxy, or a user who may not: HELLO 3 or CLIENT TRACKING is not to be had. */
function refusesTracking(error: unknown): boolean {
  return error instanceof Error && /^(?:NOPROTO|NOPERM|ERR unknown (?:sub)?command)/i.test(error.message);
}

/** A code or Redis's own error word (NOAUTH, READONLY, OOM): never a whole message, which may quote what was sent. */
export function describeRedisError(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return /^[A-Z]{3,20}(?= )/.exec(error.message)?.[0] ?? error.name;
}

/** Host, port and database alone. */
export function redisName(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
