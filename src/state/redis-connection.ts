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

/** Asked and not answered: beyond it the next are refused at once. */
const mostWaiting = 1_000;
const lastRetryMs = 2_000;
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
  let closed = false;
  let reported: string | undefined;
  let timeouts = 0;
  let attempts = 0;
  let tracks = onChanged !== undefined;

  function lost(detail: string): void {
    connected = false;
    const isNew = reported === undefined;
    reported = detail;
    // Every attempt to reconnect fails anew, and one line says it all.
    if (closed || !isNew) return;
    onEvent({ kind: 'lost', store: name, detail });
  }

  async function connect(): Promise<void> {
    // Only who has something in Redis loads it.
    const redis = await import('@redis/client');
    if (closed) return;
    const made = redis.createClient({
      url,
      disableOfflineQueue: true,
      commandsQueueMaxLength: mostWaiting,
      ...(onChanged === undefined ? {} : tracks ? { RESP: 3, emitInvalidate: true } : { RESP: 2 }),
      socket: {
        ...(ca === undefined ? {} : { ca }),
        connectTimeout: Math.max(timeoutMs, 100),
        reconnectStrategy: (retries) => Math.min(lastRetryMs, 50 * 2 ** Math.min(retries, 6)),
      },
    });
    client = made;
    made.on('error', (error: unknown) => {
      if (made !== client) return;
      if (tracks && refusesTracking(error)) {
        tracks = false;
        again();
      } else lost(describeRedisError(error));
    });
    made.on('invalidate', (key: Uint8Array | null) => {
      if (made === client) onChanged?.(key?.toString());
    });
    made.on('ready', () => {
      if (made !== client) return;
      connected = true;
      reported = undefined;
      timeouts = 0;
      onEvent({ kind: 'connected', store: name });
    });
    await made.connect();
  }

  function begin(): void {
    const attempt = ++attempts;
    // A password that is wrong ends the attempts of the client itself: ours go on.
    connect().catch((error: unknown) => {
      if (attempt !== attempts) return;
      lost(describeRedisError(error));
      if (!closed) setTimeout(again, lastRetryMs).unref();
    });
  }

  function again(): void {
    const old = client;
    client = undefined;
    connected = false;
    old?.destroy();
    if (!closed) begin();
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
    if (timeouts === timeoutsToReconnect) {
      lost(detail);
      again();
    }
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
      closed = true;
      connected = false;
      client?.destroy();
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
