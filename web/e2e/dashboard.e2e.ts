// The dashboard in a real browser against the daemon at TCPVIEWER_URL: a connection that the test
// makes shows up, changes, opens its details and its packets; every view is accessible in both themes and
// usable in a small window.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAxeViolations, launchBrowser, waitForCharts, watchForeignRequests } from './browser';
import { failToConnect, openConnection, type TestConnection } from './traffic';

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
    await page.goto(`${URL_OF_DAEMON}/connections`);
    await page.getByTestId('link-state').filter({ hasText: 'live' }).waitFor();
  });

  afterAll(async () => {
    await browser.close();
  });

  /** The address of a view, with the connection of the test where it names one. */
  const addressOf = (path: string): string => {
    const query = new URL(page.url()).searchParams;
    const [id, run] = [query.get('selected') ?? '', query.get('run') ?? ''];
    switch (path) {
      case '/connections?selected':
        return `${URL_OF_DAEMON}/connections?selected=${id}&run=${run}`;
      case '/connection':
        return `${URL_OF_DAEMON}/connections/${id}?run=${run}`;
      default:
        return `${URL_OF_DAEMON}${path}`;
    }
  };
  const row = (): Locator =>
    page
      .getByTestId('connection-row')
      .filter({ hasText: connection.source })
      .filter({ hasText: connection.destination });

  it('shows a new connection without a reload', async () => {
    // Narrows the table to loopback, so that the row cannot hide below the fold of a busy host.
    await page.getByLabel('Filter connections').fill('host 127.0.0.1');
    connection = await openConnection();
    await page.getByLabel('Filter connections').fill(`source.port == ${portOf(connection.source)}`);
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
    await expect.poll(() => page.url(), WITHIN).toMatch(/selected=\d+&run=\d+/);
  });

  it('shows its packets in the details', async () => {
    await expect
      .poll(async () => {
        await connection.send(1000);
        return page.getByTestId('recent-packet').count();
      }, WITHIN)
      .toBeGreaterThan(0);
  });

  it('opens its page by Enter, and comes back', async () => {
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByTestId('story').waitFor();
    expect(page.url()).toMatch(/\/connections\/\d+\?run=\d+$/);
    await page.goBack();
    await row().waitFor();
  });

  it('says where a filter is wrong, and keeps the rows', async () => {
    const filter = await page.getByLabel('Filter connections').inputValue();
    await page.getByLabel('Filter connections').fill('port == 443 and prot == 80');
    const problem = page.getByTestId('filter-problem');
    await problem.filter({ hasText: 'did you mean `port`?' }).waitFor();
    expect(await problem.locator('pre').innerText()).toBe(`port == 443 and prot == 80\n${' '.repeat(16)}^`);
    expect(await row().count()).toBe(1);
    await page.getByLabel('Filter connections').fill(filter);
    await problem.waitFor({ state: 'detached' });
  });

  it('shows packets that pass a filter', async () => {
    const other = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    const port = portOf(connection.source);
    await other.goto(`${URL_OF_DAEMON}/packets?filter=${encodeURIComponent(`src port ${port}`)}`);
    const packets = other.getByTestId('packet-row');
    await expect
      .poll(async () => {
        await connection.send(1000);
        return packets.count();
      }, WITHIN)
      .toBeGreaterThan(0);
    for (const text of await packets.allInnerTexts()) {
      expect(text).toContain(`:${port}`);
    }
    await other.close();
  });

  it('shows a connection that was refused, and by what', async () => {
    const other = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const source = await failToConnect();
    await other.goto(`${URL_OF_DAEMON}/failures?kind=refused`);
    const failure = other.getByTestId('failure').filter({ hasText: source });
    await failure.filter({ hasText: 'refused it' }).waitFor();
    await failure.getByRole('link').click();
    await other.getByTestId('story').filter({ hasText: 'refused it' }).waitFor();
    const phases = other.getByTestId('timeline').getByRole('listitem');
    expect((await phases.allInnerTexts()).join()).toMatch(/^opening/);
    expect(await phases.count()).toBe(1);
    await other.close();
  });

  it('shows where this host listens, with the connections that came there', async () => {
    const other = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await other.goto(`${URL_OF_DAEMON}/listeners`);
    await other.getByTestId('listener').filter({ hasText: connection.destination }).getByRole('link').click();
    await other.getByTestId('connection-row').filter({ hasText: connection.source }).waitFor();
    await other.close();
  });

  it("shows the kernel's counters as rates", async () => {
    const other = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await other.goto(`${URL_OF_DAEMON}/host`);
    const segments = other.getByTestId('host-counter').filter({ hasText: 'OutSegs' });
    await expect
      .poll(async () => {
        await connection.send(1000);
        return segments.innerText();
      }, WITHIN)
      .toMatch(/[1-9][\d.,]*\/s/);
    await other.close();
  });

  describe.each(['dark', 'light'] as const)('in the %s theme', (colorScheme) => {
    it.each([
      '/',
      '/connections',
      '/connections?selected',
      '/connection',
      '/packets',
      '/groups',
      '/failures',
      '/listeners',
      '/host',
      '/nothing/here',
    ])('is accessible at %s in a small and a narrow window, and fits into a large one', async (path) => {
      const other = await browser.newPage({ viewport: { width: 2560, height: 1440 }, colorScheme });
      if (path === '/failures') {
        // The one before may have left the list.
        await failToConnect();
      }
      await other.goto(addressOf(path));
      await other.getByTestId('link-state').filter({ hasText: 'live' }).waitFor();
      const shown: Record<string, string> = {
        '/': '[data-testid="top-talkers"] table',
        '/connections': '[data-testid="connection-row"]',
        '/connections?selected': '[data-testid="details"] canvas',
        '/connection': '[data-testid="story"]',
        '/packets': '[data-testid="packets"]',
        '/groups': '[data-testid="group"]',
        '/failures': '[data-testid="failure"]',
        '/listeners': '[data-testid="listener"]',
        '/host': '[data-testid="host-counter"]',
        '/nothing/here': '[data-testid="missing"]',
      };
      await other
        .locator(shown[path] ?? '')
        .first()
        .waitFor();
      if (SCREENSHOTS !== undefined) {
        await mkdir(SCREENSHOTS, { recursive: true });
        await other.setViewportSize({ width: 1600, height: 900 });
        if (path === '/' || (path.startsWith('/connection') && path !== '/connections')) {
          await waitForCharts(other);
        }
        const name = path.slice(1).replace(/\W+/g, '-') || 'overview';
        await other.screenshot({ path: join(SCREENSHOTS, `${name}-${colorScheme}.png`) });
      }
      for (const [width, height] of [
        [2560, 1440],
        [1280, 720],
        [390, 780],
      ] as const) {
        await other.setViewportSize({ width, height });
        // Wide windows have the same parts as those of 1280 pixels.
        if (width <= 1280) {
          expect(await findAxeViolations(other), `${width} px wide`).toEqual([]);
        }
        const overflowing = await other.evaluate('document.documentElement.scrollWidth - innerWidth');
        expect(overflowing, `${width} px wide`).toBeLessThanOrEqual(0);
      }
      await other.close();
    });
  });

  it('records what passes the filter into a capture file', async () => {
    const other = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    const port = portOf(connection.source);
    await other.goto(`${URL_OF_DAEMON}/packets?filter=${encodeURIComponent(`src port ${port}`)}`);
    await other.getByRole('button', { name: 'Record pcapng' }).click();
    await expect
      .poll(async () => {
        await connection.send(1000);
        return other.getByTestId('recording').innerText();
      }, WITHIN)
      .toMatch(/^[1-9]\d* packets?,/);
    const download = other.waitForEvent('download');
    await other.getByRole('button', { name: 'Stop and save' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toMatch(/^tcpviewer-.*\.pcapng$/);
    const content = await readFile(await file.path());
    // A pcapng file begins with a section header.
    expect(content.subarray(0, 4).toString('hex')).toBe('0a0d0d0a');
    expect(content.length).toBeGreaterThan(200);
    await other.close();
  });

  it('shows the beginning of a connection as a ladder, and its segments against time', async () => {
    const other = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await other.goto(addressOf('/connection'));
    const ladder = other.getByTestId('sequence-ladder').getByRole('listitem');
    await expect.poll(() => ladder.count(), WITHIN).toBe(3);
    expect(await ladder.first().innerText()).toContain('SYN');
    const plot = other.getByTestId('time-sequence');
    await expect
      .poll(async () => {
        await connection.send(1000);
        return plot.innerText();
      }, WITHIN)
      .toMatch(/[1-9]\d* segments?/);
    await other.close();
  });

  it('goes anywhere by the command palette, which is accessible', async () => {
    await page.keyboard.press('Control+k');
    expect(await findAxeViolations(page)).toEqual([]);
    await page.keyboard.type('overview');
    await page.keyboard.press('Enter');
    await page.getByTestId('tiles').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    expect(await findAxeViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('c');
    await row().waitFor();
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

  it('draws the numbers that the daemon tells', async () => {
    const other = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await other.goto(URL_OF_DAEMON);
    const plot = other.getByTestId('plot-throughput');
    await plot.locator('canvas').waitFor();
    await expect.poll(() => plot.locator('[data-series="payload"]').innerText(), WITHIN).toMatch(/B\/s$/);
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

function portOf(endpoint: string): string {
  return endpoint.slice(endpoint.lastIndexOf(':') + 1);
}
