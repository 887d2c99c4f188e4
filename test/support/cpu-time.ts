/** Starts to count; calling what comes back tells the milliseconds of CPU since then, of this thread: the clock's time is everybody's. */
export function startCpuTime(): () => number {
  const begun = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(begun);
    return (user + system) / 1e3;
  };
}
