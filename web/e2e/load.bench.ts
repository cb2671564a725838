// How the table fares with 100,000 connections of which 10,000 change every second: frames per second while it is
// scrolled, the longest task, how late a change is on the screen, and the memory it takes. Prints the figures; needs
// the daemon's binary in TCPVIEWER_DAEMON. `npm run bench`, not part of the tests: it is about this machine.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser } from './browser';
import { freePort } from './port';
import { SyntheticTraffic } from './synthetic';

const DAEMON = process.env.TCPVIEWER_DAEMON;
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 100_000);
const CHANGES_PER_SECOND = CONNECTIONS / 10;
const SECONDS = Number(process.env.SECONDS ?? 20);
const WITHIN = { timeout: 120_000, interval: 250 };

describe.skipIf(DAEMON === undefined)('a table of very many connections', () => {
  let daemon: ChildProcess;
  let browser: Browser;
  let page: Page;
  let chromium: CDPSession;
  let traffic: SyntheticTraffic;
  let changing: ReturnType<typeof setInterval>;

  beforeAll(async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const flags = ['replay', '-', '--serve', '--speed', 'max', '--listen', address];
    daemon = spawn(DAEMON ?? '', flags, { stdio: ['pipe', 'ignore', 'inherit'] });
    if (daemon.stdin === null) {
      throw new Error('the daemon has no input');
    }
    traffic = new SyntheticTraffic(daemon.stdin);
    await traffic.open(CONNECTIONS);
    const url = `http://${address}/connections?sort=-lastSeen`;
    await vi.waitUntil(
      () =>
        fetch(url).then(
          ({ ok }) => ok,
          () => false,
        ),
      WITHIN,
    );
    changing = setInterval(() => void traffic.change(CHANGES_PER_SECOND / 10), 100);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    chromium = await page.context().newCDPSession(page);
    await page.goto(url);
    const all = `${CONNECTIONS.toLocaleString('en-US')} connections`;
    await page.getByTestId('row-count').filter({ hasText: all }).waitFor(WITHIN);
  }, 180_000);

  afterAll(async () => {
    clearInterval(changing);
    await browser.close();
    const exited = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await exited;
  });

  /** CPU time that the page's main thread has spent on tasks. */
  const threadSeconds = async (): Promise<number> => {
    const { metrics } = await chromium.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
  };

  it('stays smooth while it is scrolled', { timeout: 120_000 }, async () => {
    await chromium.send('Performance.enable', { timeDomain: 'threadTicks' });
    const before = await threadSeconds();
    const [frames, longestMs] = await page.evaluate<[number, number]>(`(async () => {
      let longest = 0;
      const observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
      });
      observer.observe({ entryTypes: ['longtask'] });
      const table = document.querySelector('[role=grid]');
      const start = performance.now();
      let frames = 0;
      while (performance.now() - start < ${SECONDS * 1000}) {
        await new Promise(requestAnimationFrame);
        frames += 1;
        table.scrollTop = (table.scrollTop + 40) % (table.scrollHeight - table.clientHeight);
      }
      observer.disconnect();
      return [frames, longest];
    })()`);
    const busy = await threadSeconds();
    await chromium.send('HeapProfiler.collectGarbage');
    const { usedSize } = await chromium.send('Runtime.getHeapUsage');
    process.stdout.write(
      `${CONNECTIONS} connections, ${CHANGES_PER_SECOND} changes per second: ` +
        `${(frames / SECONDS).toFixed(1)} frames per second, ` +
        `${(((busy - before) / frames) * 1000).toFixed(1)} ms of the main thread's CPU per frame, longest task ${longestMs.toFixed(0)} ms, ` +
        `heap ${(usedSize / 1e6).toFixed(1)} MB\n`,
    );
    // What is on the screen when the scrolling ends is there soon.
    await expect.poll(() => page.getByTestId('empty-row').count(), WITHIN).toBe(0);
    expect(await page.getByTestId('connection-row').count()).toBeGreaterThan(20);
  });
});
