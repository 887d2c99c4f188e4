import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { configText, type RunningGate, runGate, tokenOf } from '../support/running-gate.ts';
import { patienceMs, until } from '../support/until.ts';

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

let upstream: HeldUpstream;
let browser: Browser;
beforeAll(async () => {
  upstream = await startHeldUpstream();
  if (browserPath === undefined) return;
  // No word to anybody but the page's own listener.
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet];
  browser = await chromium.launch({ executablePath: browserPath, args, timeout: patienceMs });
});
afterEach(endAll);
afterAll(async () => {
  await browser?.close();
  await upstream.close();
});

const config = (tenants = ['acme', 'globex']) =>
  configText({ upstreamPort: upstream.port, tenants, more: 'admin: 127.0.0.1:0' });

interface Opened {
  readonly page: Page;
  /** Everything that the page complained about, and whatever else it asked for. */
  readonly complaints: string[];
}

async function open(gate: RunningGate): Promise<Opened> {
  const page = await browser.newPage();
  page.setDefaultTimeout(patienceMs);
  const own = `http://127.0.0.1:${gate.adminPort}/`;
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(own)) complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(own);
  await page.locator('#tenants tbody tr').first().waitFor();
  return { page, complaints };
}

/** The id of what has the focus; without one its tag, and where a link leads. */
const nameOfFocused = `
  document.activeElement.id ||
  document.activeElement.tagName.toLowerCase() + (document.activeElement.getAttribute('href') ?? '')`;

/** Controls, pictures and regions without a label, a name, or text of their own. */
const namelessOnes = `
  [...document.querySelectorAll('input, textarea, button, svg[role=img], section, nav, [role=region]')]
    .filter((one) => {
      const by = one.getAttribute('aria-labelledby');
      const labelled = (one.labels?.length ?? 0) > 0 || (by !== null && document.getElementById(by) !== null);
      return !labelled && !one.getAttribute('aria-label') && one.textContent.trim() === '';
    })
    .map((one) => one.outerHTML)`;

const headingLevels = `[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))`;

const skip = browserPath === undefined ? ' (skipped: no chromium here)' : '';

describe.skipIf(browserPath === undefined)(`the status page in a browser${skip}`, () => {
  test('shows config and tenants without a complaint, and what happens while it is looked at', async () => {
    const gate = await runGate(config());
    const { page, complaints } = await open(gate);
    await until('the config is shown', async () => (await page.locator('#facts').innerText()).includes('generation 1'));
    expect(await page.locator('#tenants tbody th').allInnerTexts()).toEqual(['acme', 'globex']);
    await until('it says so', async () => (await page.locator('#recorded').innerText()) === 'None yet.');

    expect((await gate.send('/acme/x', { token: tokenOf('acme', { exp: 1_000_000_000 }) })).status).toBe(401);
    await page.locator('#recent summary', { hasText: 'tokenExpired' }).waitFor();
    await page.locator('#legend li', { hasText: 'tokenExpired 1' }).waitFor();
    await page.locator('#chart svg[aria-label*="tokenExpired 1"]').waitFor();

    await page.locator('#recent summary').click();
    const ladder = page.locator('#recent .ladder');
    await ladder.waitFor();
    expect(await ladder.innerText()).toMatch(/expiry[\s\S]*expired/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('explains a token, as jwtgate explain does', async () => {
    const gate = await runGate(config());
    const { page, complaints } = await open(gate);
    const token = tokenOf('acme');
    await page.fill('#url', '/acme/orders');
    await page.fill('#token', `Bearer ${token}`);
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#explained .verdict', { hasText: 'Allowed' }).waitFor();
    const told = await page.locator('#explained').innerText();
    expect(told).toContain('its signature verified');
    expect(told).toContain('user-of-acme');
    expect(told).not.toContain(token.split('.')[2]);

    await page.fill('#token', tokenOf('globex'));
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#explained .verdict', { hasText: 'Refused: signatureInvalid' }).waitFor();
    expect(await page.locator('#explained').innerText()).toContain('NOT verified');

    await page.fill('#headers', 'no header');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('This is no header: no header').waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('all of it can be done with the keyboard', async () => {
    const gate = await runGate(config());
    expect((await gate.send('/acme/x')).status).toBe(401);
    const { page, complaints } = await open(gate);
    await page.locator('#recent summary').waitFor();
    const reached: string[] = [];
    const focused = () => page.evaluate<string>(nameOfFocused);
    const wanted = [
      'a#main',
      'reload',
      'pause',
      'a#tenants-title',
      'search',
      'div',
      'summary',
      'url',
      'token',
      'headers',
    ];
    for (let presses = 0; presses < 30 && reached.at(-1) !== 'headers'; presses++) {
      await page.keyboard.press('Tab');
      reached.push(await focused());
      if (reached.at(-1) === 'summary') await page.keyboard.press('Enter');
    }
    expect(reached.filter((name) => wanted.includes(name))).toEqual(wanted);
    await page.locator('#recent .ladder').waitFor();
    await page.locator('#url').focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('/acme/typed');
    await page.keyboard.press('Enter');
    await page.locator('#explained .verdict', { hasText: 'Refused: tokenMissing' }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('every control and picture has a name for who listens, and headings stand in order', async () => {
    const gate = await runGate(config());
    const { page } = await open(gate);
    const nameless = await page.evaluate<string[]>(namelessOnes);
    expect(nameless).toEqual([]);
    const levels = await page.evaluate<number[]>(headingLevels);
    expect(levels[0]).toBe(1);
    expect(levels.every((level, index) => index === 0 || level - (levels[index - 1] as number) <= 1)).toBe(true);
    await page.close();
  });

  test('reloads by its button, and says what is wrong with a config that is refused', async () => {
    const gate = await runGate(config());
    const { page, complaints } = await open(gate);
    await gate.rewrite(config(['acme', 'globex', 'initech']));
    await page.getByRole('button', { name: 'Reload the config' }).click();
    await page.getByText('The config was reloaded.').waitFor();
    await page.locator('#tenants tbody th', { hasText: 'initech' }).waitFor();

    await gate.rewrite(config().replace('algorithms: [HS256]', 'algorithms: [HS257]'));
    await page.getByRole('button', { name: 'Reload the config' }).click();
    await page.getByText('The config was refused').waitFor();
    const alarm = page.getByRole('alert');
    await alarm.waitFor();
    expect(await alarm.innerText()).toMatch(/config\.yaml:\d+:\d+: tenants\.acme\.algorithms\[0\]/);
    // The browser itself notes the answer's 422.
    expect(complaints.filter((line) => !line.includes('422'))).toEqual([]);
    await page.close();
  });

  test('finds one of 10,000 tenants', async () => {
    const gate = await runGate(config(Array.from({ length: 10_000 }, (_, index) => `t${index}`)));
    const { page, complaints } = await open(gate);
    await page.fill('#search', 't9876');
    const rows = () => page.locator('#tenants tbody th').allInnerTexts();
    await until('it is found', async () => (await rows()).join() === 't9876');
    expect(await page.locator('#found').innerText()).toBe('1 of 10,000');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('attack: markup in a path, a header or a kid stays text', async () => {
    const gate = await runGate(config());
    await gate.send('/acme/%3Cimg%20src=x%20onerror=alert(1)%3E?<script>alert(1)</script>');
    const { page, complaints } = await open(gate);
    await page.locator('#recent summary', { hasText: '/acme/' }).waitFor();
    await page.fill('#url', '/acme/<img src=x onerror=alert(1)>');
    await page.fill('#headers', 'X-Evil: <script>alert(1)</script>');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#explained').locator('*').first().waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('script').count()).toBe(1);
    // The browser itself notes an answer of 400.
    expect(complaints.filter((line) => !line.includes('400'))).toEqual([]);
    await page.close();
  });
});

describe('the status page without a browser', () => {
  test('is one document under a policy that lets nothing else run', async () => {
    const gate = await runGate(config());
    const answer = await fetch(`http://127.0.0.1:${gate.adminPort}/`);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'sha256-/);
    expect(await answer.text()).toMatch(/^<!doctype html>/);
  });

  test('what it asks for is JSON, and holds no secret', async () => {
    const gate = await runGate(config());
    const read = async (path: string) => (await fetch(`http://127.0.0.1:${gate.adminPort}${path}`)).text();
    const texts = [await read('/api/status'), await read('/api/tenants?search=acme')];
    expect(JSON.parse(texts[0] as string)).toMatchObject({ config: { generation: 1, tenants: 2 } });
    expect(JSON.parse(texts[1] as string)).toMatchObject({ total: 2, found: 1, rows: [{ id: 'acme', kids: [null] }] });
    expect(texts.join()).not.toContain('secret-of');
  });
});
