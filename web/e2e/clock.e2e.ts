// Clocks: that of the browser is wrong, is set while the page is open, or stood still because the tab was asleep. The
// page says what is the matter, and is right again by itself.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from './browser';
import { openStallingProxy } from './proxy';
import { openConnection, type TestConnection } from './traffic';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const WITHIN = { timeout: 20_000, interval: 50 };
const HOUR_MS = 3_600_000;

describe('a clock', () => {
  let browser: Browser;
  let page: Page;
  let connection: TestConnection;

  beforeAll(async () => {
    browser = await launchBrowser();
    connection = await openConnection();
  });

  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    // Playwright's clock is that of the page and not of its workers, so the page has its streams itself here.
    await page.addInitScript('delete window.SharedWorker');
  });

  afterEach(async () => {
    await page.close();
  });

  afterAll(async () => {
    await connection.close();
    await browser.close();
  });

  const linkState = (): Promise<string> => page.getByTestId('link-state').innerText();
  const banner = (): Promise<string[]> => page.getByTestId('link-banner').allInnerTexts();
  const address = (of = URL_OF_DAEMON): string =>
    `${of}/connections?filter=${encodeURIComponent(`source.port == ${connection.source.split(':')[1] ?? ''}`)}`;
  const ageSeconds = async (): Promise<number> => {
    const age = await page.getByTestId('connection-row').first().locator('[data-column="age"]').innerText();
    return /^[\d.]+ s$/.test(age) ? Number.parseFloat(age) : Number.NaN;
  };

  it.each([
    ['ahead of', HOUR_MS],
    ['behind', -HOUR_MS],
  ])('an hour %s the daemon is told, and makes no data old', async (way, offMs) => {
    await page.clock.install({ time: Date.now() + offMs });
    await page.goto(address());
    await expect.poll(linkState, WITHIN).toBe('live');
    await expect.poll(banner, WITHIN).toEqual([expect.stringContaining(`${way} the daemon's`)]);
    await expect.poll(ageSeconds, WITHIN).toBeGreaterThan(0);
    expect(await ageSeconds()).toBeLessThan(60);
  });

  it('that is set while the page is open is taken note of', async () => {
    await page.clock.install();
    await page.goto(address());
    await expect.poll(linkState, WITHIN).toBe('live');
    expect(await banner()).toEqual([]);
    await page.clock.setSystemTime(Date.now() + HOUR_MS);
    await expect.poll(banner, WITHIN).toEqual([expect.stringContaining("ahead of the daemon's")]);
    await expect.poll(linkState, WITHIN).toBe('live');
    expect(await ageSeconds()).toBeLessThan(60);
  });

  it('that stood still for an hour, with the network, is followed by fresh data', async () => {
    const proxy = await openStallingProxy(URL_OF_DAEMON);
    await page.clock.install();
    await page.goto(address(proxy.url));
    await expect.poll(linkState, WITHIN).toBe('live');
    proxy.stall(true);
    await page.clock.fastForward(HOUR_MS);
    await expect.poll(linkState, WITHIN).not.toBe('live');
    await expect.poll(banner, WITHIN).toEqual([expect.stringMatching(/silent|Stale since/)]);
    proxy.stall(false);
    await expect.poll(linkState, WITHIN).toBe('live');
    await connection.send(1000);
    await expect.poll(ageSeconds, WITHIN).toBeGreaterThan(0);
    expect(await ageSeconds()).toBeLessThan(120);
    proxy.close();
  });
});
