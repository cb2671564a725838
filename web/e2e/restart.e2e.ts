// The daemon dies and comes back while the page is open. Needs the daemon's binary in
// TCPVIEWER_DAEMON and the right to load eBPF programs; skipped without.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findAxeViolations, launchBrowser } from './browser';
import { freePort } from './port';
import { openConnection, type TestConnection } from './traffic';

const DAEMON = process.env.TCPVIEWER_DAEMON;
const WITHIN = { timeout: 20_000, interval: 50 };

describe.skipIf(DAEMON === undefined)('a daemon that dies', () => {
  let address: string;
  let daemon: ChildProcess;
  let browser: Browser;
  let page: Page;
  let connection: TestConnection;

  const start = (): ChildProcess =>
    spawn(DAEMON ?? '', ['run', '--listen', address, '--interface', 'lo'], { stdio: 'ignore' });
  const kill = async (): Promise<void> => {
    const exited = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await exited;
  };
  const answers = (): Promise<boolean> =>
    fetch(`http://${address}/`).then(
      ({ ok }) => ok,
      () => false,
    );

  beforeAll(async () => {
    address = `127.0.0.1:${await freePort()}`;
    daemon = start();
    await vi.waitUntil(answers, WITHIN);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`http://${address}/connections`);
    connection = await openConnection();
    await connection.send(1000);
  });

  afterAll(async () => {
    await kill();
    await browser.close();
    await connection.close();
  });

  const linkState = (): Promise<string> => page.getByTestId('link-state').innerText();
  const rows = (): Promise<number> =>
    page.getByTestId('connection-row').filter({ hasText: connection.source }).count();

  it('is shown as gone in plain words, and its last data stays', async () => {
    await expect.poll(linkState, WITHIN).toBe('live');
    await expect.poll(rows, WITHIN).toBe(1);
    await kill();
    await expect.poll(linkState, WITHIN).toBe('daemon is gone');
    const banner = await page.getByTestId('link-banner').innerText();
    expect(banner).toContain(`The daemon is gone: http://${address} does not answer, last data`);
    expect(await rows()).toBe(1);
    expect(await findAxeViolations(page)).toEqual([]);
  });

  it('is live again without a reload once it is back', async () => {
    daemon = start();
    await expect.poll(linkState, WITHIN).toBe('live');
    await expect
      .poll(async () => {
        await connection.send(1000);
        return rows();
      }, WITHIN)
      .toBe(1);
    expect(await page.getByTestId('link-banner').count()).toBe(0);
  });
});
