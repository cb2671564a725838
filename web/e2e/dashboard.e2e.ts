// The dashboard in a real browser against the daemon at TCPVIEWER_URL: a connection that the test
// makes shows up, changes, opens its details and its packets; both themes are accessible.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAxeViolations, launchBrowser, watchForeignRequests } from './browser';
import { openConnection, type TestConnection } from './traffic';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const SCREENSHOTS = process.env.SCREENSHOTS;
const WITHIN = { timeout: 10_000, interval: 50 };

describe('dashboard', () => {
  let browser: Browser;
  let page: Page;
  let connection: TestConnection;
  let foreign: string[];
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1600, height: 900 }, colorScheme: 'dark' });
    page.on('pageerror', (error) => errors.push(error.message));
    foreign = watchForeignRequests(page, URL_OF_DAEMON);
    await page.goto(URL_OF_DAEMON);
    await page.getByTestId('link-state').filter({ hasText: 'live' }).waitFor();
  });

  afterAll(async () => {
    await browser.close();
  });

  const row = (): Locator =>
    page
      .getByTestId('connection-row')
      .filter({ hasText: connection.source })
      .filter({ hasText: connection.destination });

  it('shows a new connection without a reload', async () => {
    // Narrows the table to loopback, so that the row cannot hide below the fold of a busy host.
    await page.getByLabel('Filter connections').fill('127.0.0.1');
    connection = await openConnection();
    await page.getByLabel('Filter connections').fill(connection.source);
    await row().waitFor();
    process.stdout.write(`connect() to row visible: ${Date.now() - connection.connectedAtMs} ms\n`);
  });

  it('updates its bytes as data flows', async () => {
    const sentBytes = (): Promise<string> => row().locator('[data-column="sentBytes"]').innerText();
    expect(await sentBytes()).toBe('0 B');
    await connection.send(100_000);
    await expect.poll(sentBytes, WITHIN).toMatch(/KB$/);
    const before = await sentBytes();
    await connection.send(400_000);
    await expect.poll(sentBytes, WITHIN).not.toBe(before);
  });

  it('opens its details, with the right endpoints and exact bytes', async () => {
    await row().click();
    const details = page.getByTestId('details');
    const sent = async (name: string): Promise<number> => {
      const line = details
        .getByRole('row')
        .filter({ has: page.getByRole('rowheader', { name, exact: true }) });
      return Number((await line.getByRole('cell').first().innerText()).replace(/\D/g, ''));
    };
    // A busy host may send some of it twice, even on loopback.
    await expect.poll(async () => (await sent('Payload')) - (await sent('Sent again')), WITHIN).toBe(500_000);
    const text = (await details.textContent()) ?? '';
    expect(text).toContain(connection.source);
    expect(text).toContain(connection.destination);
    await expect.poll(() => page.url(), WITHIN).toMatch(/connection=\d+\.\d+/);
  });

  it('shows its packets, in the stream and in the details', async () => {
    await page.keyboard.press('k');
    const packet = page.getByTestId('packet-row').filter({ hasText: connection.source });
    await expect
      .poll(async () => {
        await connection.send(1000);
        return packet.count();
      }, WITHIN)
      .toBeGreaterThan(0);
    await expect.poll(() => page.getByTestId('recent-packet').count(), WITHIN).toBeGreaterThan(0);
  });

  it.each(['dark', 'light'])('is accessible in the %s theme', async (theme) => {
    await page.getByRole('button', { name: `${theme} theme` }).click();
    await page.mouse.move(0, 0);
    expect(await findAxeViolations(page)).toEqual([]);
    if (SCREENSHOTS !== undefined) {
      await page.getByLabel('Filter connections').press('Escape');
      await mkdir(SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: join(SCREENSHOTS, `dashboard-${theme}.png`) });
    }
  });

  it('keeps the details when the connection closes, and says how it ended', async () => {
    await connection.close();
    const ended = page.getByTestId('details').getByText(/FIN|RST|no longer listed/);
    await ended.first().waitFor();
  });

  it('opens the same view from its URL', async () => {
    const other = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await other.goto(page.url());
    await other.getByTestId('details').filter({ hasText: connection.source }).waitFor();
    await other.close();
  });

  it('closes the details with Escape', async () => {
    await page.keyboard.press('Escape');
    await page.getByTestId('details').waitFor({ state: 'detached' });
  });

  it('asks nobody but the daemon, and throws no error', () => {
    expect(foreign).toEqual([]);
    expect(errors).toEqual([]);
  });
});
