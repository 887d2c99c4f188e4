import { randomBytes } from 'node:crypto';

/** Makes ids that no other request of this process has, and in all likelihood none of another process. */
export function createRequestIds(): () => string {
  const processPart = randomBytes(6).toString('hex');
  let count = 0;
  return () => {
    count++;
    return `${processPart}-${count.toString(36)}`;
  };
}
