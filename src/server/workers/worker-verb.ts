/** The verb with which `run` starts its workers; nobody else has a use for it. */
export const workerVerb = '__worker';
