// Many tabs of one browser over plain HTTP/1.1, where a browser opens six connections at most: all are live, and
// they share their streams. A page whose connection stalls says so, and is live again by itself.
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from './browser';
import { openStallingProxy } from './proxy';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const WITHIN = { timeout: 20_000, interval: 50 };
const TABS = 8;

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

  it('are all live, eight of them, with the streams of one', async () => {
    const first = await context.newPage();
    const others: Page[] = [];
    await first.goto(URL_OF_DAEMON);
    await expect.poll(() => linkState(first), WITHIN).toBe('live');
    // Sums, the worst connections, and the call that asks for this number is none.
    await expect.poll(() => streams(first), WITHIN).toBe(2);
    for (let tab = 1; tab < TABS; tab += 1) {
      const page = await context.newPage();
      await page.goto(URL_OF_DAEMON);
      others.push(page);
    }
    for (const page of others) {
      await expect.poll(() => linkState(page), WITHIN).toBe('live');
      await expect.poll(() => page.getByTestId('payload-rate').innerText(), WITHIN).toMatch(/B\/s$/);
    }
    expect(await streams(first)).toBe(2);
    process.stdout.write(`${TABS} tabs live, ${await streams(first)} streams at the daemon\n`);
    for (const page of [first, ...others]) {
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
