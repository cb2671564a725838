// Many tabs of one browser over plain HTTP/1.1, where a browser opens six connections at most: all are live, and
// they share one stream, whatever they look at. A page whose connection stalls says so, and is live again by itself.
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from './browser';
import { openStallingProxy } from './proxy';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const WITHIN = { timeout: 20_000, interval: 50 };
const TABS = 8;
const OVERVIEW = { path: '/', shown: '[data-testid="payload-rate"]' };
const ROW = '[data-testid="connection-row"]';
/** Each asks for something else. */
const VIEWS = [
  OVERVIEW,
  { path: '/connections', shown: ROW },
  { path: '/connections?sort=-lastSeen', shown: ROW },
  { path: '/connections?sort=age', shown: ROW },
  { path: '/connections?filter=port+%3E+1', shown: ROW },
  { path: '/groups', shown: '[data-testid="group"]' },
  { path: '/groups?by=port', shown: '[data-testid="group"]' },
  { path: '/groups?by=state', shown: '[data-testid="group"]' },
];

describe('tabs', () => {
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    browser = await launchBrowser();
    context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
  });

  afterAll(async () => {
    await browser.close();
  });

  const linkState = (page: Page): Promise<string> => page.getByTestId('link-state').innerText();
  /** Streams that the daemon says are open, of all clients. */
  const streams = async (page: Page): Promise<number> => {
    const title = await page.locator('[title*="Streams open"]').getAttribute('title');
    return Number(/Streams open: (\d+)/.exec(title ?? '')?.[1]);
  };

  it.each([
    ['the same view', [OVERVIEW]],
    ['views of their own', VIEWS],
  ])('are all live, eight of them with %s, and one stream at the daemon', async (_what, views) => {
    const pages: { page: Page; shown: string }[] = [];
    for (let tab = 0; tab < TABS; tab += 1) {
      const { path, shown } = views[tab % views.length] ?? OVERVIEW;
      const page = await context.newPage();
      await page.goto(`${URL_OF_DAEMON}${path}`);
      pages.push({ page, shown });
    }
    for (const { page, shown } of pages) {
      await expect.poll(() => linkState(page), WITHIN).toBe('live');
      await expect.poll(() => page.locator(shown).first().innerText(), WITHIN).toMatch(/\d/);
    }
    // The call that asks for this number is none.
    await expect.poll(() => pages[0] && streams(pages[0].page), WITHIN).toBe(1);
    process.stdout.write(`${TABS} tabs live, one stream at the daemon\n`);
    for (const { page } of pages) {
      await page.close();
    }
  });

  it('say from when on their data is stale, and recover by themselves', async () => {
    const proxy = await openStallingProxy(URL_OF_DAEMON);
    const page = await context.newPage();
    await page.goto(proxy.url);
    await expect.poll(() => linkState(page), WITHIN).toBe('live');
    proxy.stall(true);
    await expect.poll(() => linkState(page), WITHIN).toMatch(/^stale for \d/);
    await page.getByTestId('link-banner').filter({ hasText: 'Stale since' }).waitFor();
    proxy.stall(false);
    await expect.poll(() => linkState(page), WITHIN).toBe('live');
    await page.getByTestId('link-banner').waitFor({ state: 'detached' });
    await page.close();
    proxy.close();
  });
});
