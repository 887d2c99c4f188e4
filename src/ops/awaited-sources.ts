/** A source that the config calls required. */
interface RequiredSource {
  status(): { readonly url: string; readonly readyOnce: boolean };
}

/** Names the required sources that were never fetched. */
export function namesAwaited(required: readonly RequiredSource[]): readonly string[] {
  const awaited = required.flatMap(({ status }) => {
    const { url, readyOnce } = status();
    return readyOnce ? [] : [url];
  });
  return [...new Set(awaited)];
}

/**
 * Tells what is awaited until there was a moment without any: from then on nothing is. A source that a reload brings,
 * and that is away, is no reason to take a pod out that serves everyone else.
 */
export function createAwaiting(): (awaited: readonly string[]) => readonly string[] {
  let complete = false;
  return (awaited) => {
    complete ||= awaited.length === 0;
    return complete ? [] : awaited;
  };
}
