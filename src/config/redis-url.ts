/** redis:// or rediss://, with a host, a number of a database or none, and nothing else. */
export function isRedisUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) return false;
  if (!isDecodable(url.username) || !isDecodable(url.password)) return false;
  return url.hostname !== '' && /^(?:\/\d{0,4})?$/.test(url.pathname) && url.search === '' && url.hash === '';
}

/** Is it meant for one, whatever may be wrong with it? */
export function mayBeRedisUrl(text: string): boolean {
  return /^\s*rediss?:/i.test(text);
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
