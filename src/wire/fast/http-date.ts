let second = 0;
let text = '';

/** The time for a Date field (RFC 9110 section 5.6.7), put together once a second. */
export function httpDate(): string {
  const nowSecond = Math.floor(Date.now() / 1000);
  if (nowSecond !== second) {
    second = nowSecond;
    text = new Date(nowSecond * 1000).toUTCString();
  }
  return text;
}
