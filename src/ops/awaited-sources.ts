/** A source that the config calls required. */
interface RequiredSource {
  status(): { readonly url: string; readonly readyOnce: boolean };
}

/**
 * Names the required sources that were never fetched, until there was a moment without any: from then on none. A
 * source that a reload brings, and that is away, is no reason to take a pod out that serves everyone else.
 */
export function awaitSources(required: () => readonly RequiredSource[]): () => readonly string[] {
  let complete = false;
  return () => {
    if (complete) return [];
    const awaited = required().flatMap(({ status }) => {
      const { url, readyOnce } = status();
      return readyOnce ? [] : [url];
    });
    complete = awaited.length === 0;
    return [...new Set(awaited)];
  };
}
