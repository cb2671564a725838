// Clocks: that of the browser is wrong, is set while the page is open, or stood still because the tab was asleep. The
// page says what is the matter, and is right again by itself.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from './browser';
import { openClockProxy, setWorkerClock } from './clock-proxy';
import { openStallingProxy } from './proxy';
import { openConnection, type TestConnection } from './traffic';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const WITHIN = { timeout: 40_000, interval: 50 };
const HOUR_MS = 3_600_000;

describe.each(['its shared worker', 'the page itself'])(
  'a clock, where the streams are those of %s,',
  (of) => {
    let browser: Browser;
    let page: Page;
    let connection: TestConnection;
    const opened: { close: () => void }[] = [];
    const hasWorker = of === 'its shared worker';

    beforeAll(async () => {
      browser = await launchBrowser();
      connection = await openConnection();
    });

    beforeEach(async () => {
      page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      if (!hasWorker) {
        await page.addInitScript('delete window.SharedWorker');
      }
    });

    afterEach(async () => {
      await page.close();
      for (const { close } of opened.splice(0)) {
        close();
      }
    });

    afterAll(async () => {
      await connection.close();
      await browser.close();
    });

    const linkState = (): Promise<string> => page.getByTestId('link-state').innerText();
    const banner = (): Promise<string[]> => page.getByTestId('link-banner').allInnerTexts();
    /** Opens the connection of the test in the table, on a network that can stall. */
    const open = async (offMs: number): Promise<{ stall: (on: boolean) => void }> => {
      const clock = await openClockProxy(URL_OF_DAEMON, offMs);
      const network = await openStallingProxy(clock.url);
      opened.push(network, clock);
      await page.clock.install({ time: Date.now() + offMs });
      const filter = encodeURIComponent(`source.port == ${connection.source.split(':')[1] ?? ''}`);
      await page.goto(`${network.url}/connections?filter=${filter}`);
      await expect.poll(linkState, WITHIN).toBe('live');
      return network;
    };
    const ageSeconds = async (): Promise<number> => {
      const age = await page.getByTestId('connection-row').first().locator('[data-column="age"]').innerText();
      return /^[\d.]+ s$/.test(age) ? Number.parseFloat(age) : Number.NaN;
    };

    it.each([
      ['ahead of', HOUR_MS],
      ['behind', -HOUR_MS],
    ])('an hour %s the daemon is told, and makes no data old', async (way, offMs) => {
      await open(offMs);
      await expect.poll(banner, WITHIN).toEqual([expect.stringContaining(`${way} the daemon's`)]);
      await expect.poll(ageSeconds, WITHIN).toBeGreaterThan(0);
      expect(await ageSeconds()).toBeLessThan(60);
    });

    it('that is set while the page is open is taken note of', async () => {
      await open(0);
      expect(await banner()).toEqual([]);
      await page.clock.setSystemTime(Date.now() + HOUR_MS);
      await setWorkerClock(page, HOUR_MS);
      await expect.poll(banner, WITHIN).toEqual([expect.stringContaining("ahead of the daemon's")]);
      await expect.poll(linkState, WITHIN).toBe('live');
      expect(await ageSeconds()).toBeLessThan(60);
    });

    it('that stood still for an hour, with the network, is followed by fresh data', async () => {
      const network = await open(0);
      network.stall(true);
      await setWorkerClock(page, HOUR_MS);
      await page.clock.fastForward(HOUR_MS);
      await expect.poll(linkState, WITHIN).not.toBe('live');
      // Silent first, and gone once a further attempt was not answered either.
      const matter = /silent|Stale since|does not answer, last data 1 h/;
      await expect.poll(banner, WITHIN).toEqual([expect.stringMatching(matter)]);
      network.stall(false);
      await expect.poll(linkState, WITHIN).toBe('live');
      await connection.send(1000);
      await expect.poll(ageSeconds, WITHIN).toBeGreaterThan(0);
      expect(await ageSeconds()).toBeLessThan(180);
    });
  },
);
