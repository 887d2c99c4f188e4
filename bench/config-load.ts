export async function measureConfigLoads(_counts: readonly number[]): Promise<void> {}
