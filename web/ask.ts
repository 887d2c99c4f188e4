export interface Reply<Body> {
  readonly status: number;
  readonly body: Body;
}

/** Asks the listener that this page came from; undefined when it doesn't answer. */
export async function ask<Body>(path: string, json?: unknown): Promise<Reply<Body> | undefined> {
  try {
    const reply = await fetch(path, {
      signal: AbortSignal.timeout(20_000),
      ...(json !== undefined && {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(json),
      }),
    });
    return { status: reply.status, body: (await reply.json()) as Body };
  } catch {
    return undefined;
  }
}
