/**
 * A header name as the most forgiving upstream sees it: letter case ignored and every other character than a letter or
 * digit taken for "-". CGI, WSGI, PHP and others read X_User as X-User (CVE-2025-64484, CVE-2026-39858), and a fold of
 * "_" alone was passed with "." (CVE-2026-33433's sequel).
 */
export function foldName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
}

/** A header field name by RFC 9110 section 5.1. */
export function isFieldName(name: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name);
}
