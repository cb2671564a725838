// Everything that the dashboard at TCPVIEWER_URL offers, by keyboard alone: no test here has a pointer.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from './browser';
import { activate, tabTo, type, walk } from './keyboard';
import { failToConnect, openConnection, type TestConnection } from './traffic';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const WITHIN = { timeout: 10_000, interval: 50 };
/** Views that are there without a connection. */
const VIEWS = ['/', '/connections', '/packets', '/groups', '/failures', '/listeners', '/host', '/nothing'];

describe('by keyboard alone', () => {
  let browser: Browser;
  let page: Page;
  let connection: TestConnection;

  beforeAll(async () => {
    browser = await launchBrowser();
    connection = await openConnection();
    page = await browser.newPage({ viewport: { width: 1600, height: 900 }, colorScheme: 'dark' });
    page.on('pageerror', (error) => {
      throw error;
    });
  });

  afterAll(async () => {
    await connection.close();
    await browser.close();
  });

  const port = (): string => connection.source.slice(connection.source.lastIndexOf(':') + 1);
  const open = async (path: string): Promise<void> => {
    await page.goto(`${URL_OF_DAEMON}${path}`);
    await page.getByTestId('link-state').filter({ hasText: 'live' }).waitFor();
    await page.getByTestId('ledger').waitFor();
  };
  /** The table, with the connection of the test alone in it. */
  const openTable = async (): Promise<void> => {
    await open(`/connections?filter=source.port+==+${port()}`);
    await expect.poll(() => page.getByTestId('connection-row').count(), WITHIN).toBe(1);
  };
  const query = (name: string): string | null => new URL(page.url()).searchParams.get(name);
  const headings = async (): Promise<string[]> =>
    (await page.getByRole('columnheader').allInnerTexts()).map((text) => text.replace(/[▲▼]/, '').trim());
  const width = async (column: string): Promise<number> =>
    (await page.locator(`[role=columnheader][data-column=${column}]`).boundingBox())?.width ?? 0;

  it.each(VIEWS)('each stop of the focus can be seen at %s', async (path) => {
    await open(path);
    const stops = await walk(page);
    expect(stops.length).toBeGreaterThan(15);
    expect(stops.filter(({ seen }) => !seen)).toEqual([]);
  });

  it('every view is a pair of keys away, and what is around it can be skipped', async () => {
    await open('/');
    await type(page, 'Tab Enter');
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Overview');
    for (const [keys, view] of [
      ['g c', 'Connections'],
      ['g g', 'Groups'],
      ['g p', 'Packets'],
      ['g f', 'Failures'],
      ['g l', 'Listeners'],
      ['g h', 'Host'],
      ['g o', 'Overview'],
    ] as const) {
      // From the view in which single keys mean most.
      await type(page, 'g c');
      await page.getByRole('grid').waitFor();
      await type(page, keys);
      await expect.poll(() => page.locator('nav [aria-current]').innerText(), WITHIN).toBe(view);
    }
  });

  it('the overview: time shown, numbers in the charts, groups, and what is behind them', async () => {
    await open('/');
    const minutes = page.getByRole('button', { name: '2 min' });
    await activate(page, minutes);
    expect(await minutes.getAttribute('aria-pressed')).toBe('true');

    const plot = page.getByTestId('plot-throughput');
    await expect.poll(async () => Number(await plot.getAttribute('data-index')), WITHIN).toBeGreaterThan(2);
    await tabTo(page, plot.getByRole('slider'));
    await type(page, 'Home ArrowRight');
    expect(await plot.getAttribute('data-index')).toBe('1');
    expect(await plot.getByRole('slider').getAttribute('aria-valuetext')).toMatch(
      /^\d\d:\d\d:\d\d, payload [\d.]+ /,
    );
    expect(await plot.innerText()).toMatch(/\d\d:\d\d:\d\d/);
    await page.keyboard.press('Escape');
    await expect.poll(() => plot.innerText(), WITHIN).toContain('10 min');

    const heatMap = page.getByTestId('rtt-heat-map');
    await tabTo(page, heatMap.getByRole('slider'));
    await page.keyboard.press('ArrowLeft');
    const cell = page.getByTestId('rtt-cell');
    expect(await cell.innerText()).toMatch(/[1-9]\d* connections? from .* to /);
    const before = await cell.innerText();
    await page.keyboard.press('ArrowUp');
    expect(await cell.innerText()).not.toBe(before);

    const ports = page.getByRole('button', { name: 'Ports' });
    await activate(page, ports);
    expect(await ports.getAttribute('aria-pressed')).toBe('true');
    await activate(page, page.getByTestId('unhealthy').getByRole('link', { name: 'show all' }));
    await expect.poll(() => query('sort'), WITHIN).toBe('-verdict');
  });

  it('the filter: typing, what is offered, keeping one, clearing it', async () => {
    await open('/connections');
    const field = page.getByLabel('Filter connections');
    await page.keyboard.press('/');
    await page.keyboard.type(`source.port == ${port()} and ope`);
    await page.keyboard.press('Tab');
    expect(await field.inputValue()).toBe(`source.port == ${port()} and open `);
    await page.keyboard.press('ArrowDown');
    expect(await field.getAttribute('aria-activedescendant')).not.toBeNull();
    await page.keyboard.press('Escape');
    const keep = page.getByRole('button', { name: 'Keep this filter' });
    await activate(page, keep, 'Space');
    expect(await keep.getAttribute('aria-pressed')).toBe('true');
    await activate(page, page.getByRole('button', { name: 'Clear the filter' }));
    expect(await field.inputValue()).toBe('');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await field.inputValue()).toContain(`source.port == ${port()}`);
  });

  it('the field of the filter is left by Tab where nothing is begun', async () => {
    await open('/connections');
    await page.keyboard.press('/');
    await page.keyboard.type('open and ');
    await type(page, 'Tab Tab Tab');
    expect(await page.evaluate('document.activeElement.type')).toBe('checkbox');
  });

  it('a row: to it, its details, its page, and back', async () => {
    await openTable();
    await type(page, 'j Enter');
    await page.getByTestId('details').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('details').waitFor({ state: 'detached' });
    await type(page, 'Enter Enter');
    await page.getByTestId('story').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByTestId('connection-row').count(), WITHIN).toBe(1);
  });

  it('a cell: filter by its value, and without it', async () => {
    await open('/connections?filter=host+127.0.0.1');
    await page.getByTestId('connection-row').first().waitFor();
    await tabTo(page, page.getByRole('grid'));
    await type(page, 'ArrowDown ArrowRight ArrowRight ArrowRight =');
    await expect.poll(() => query('filter'), WITHIN).toBe('host 127.0.0.1 and source.host == 127.0.0.1');
    await page.goBack();
    await page.getByTestId('connection-row').first().waitFor();
    await type(page, 'j l !');
    await expect
      .poll(() => query('filter'), WITHIN)
      .toMatch(/^host 127\.0\.0\.1 and not \(destination\.host == .* and destination\.port == \d+\)$/);
  });

  it('a column: sorting by it, its width, its place', async () => {
    await openTable();
    await tabTo(page, page.getByRole('grid'));
    await type(page, 'ArrowRight ArrowRight s');
    await expect.poll(() => query('sort'), WITHIN).toBe('-verdict');
    await page.keyboard.press('s');
    await expect.poll(() => query('sort'), WITHIN).toBe('verdict');
    const [before, order] = [await width('verdict'), await headings()];
    await type(page, '> >');
    await expect.poll(() => width('verdict'), WITHIN).toBeCloseTo(before + 24, 0);
    await page.keyboard.press('<');
    await expect.poll(() => width('verdict'), WITHIN).toBeCloseTo(before + 12, 0);
    await page.keyboard.press('0');
    await expect.poll(() => width('verdict'), WITHIN).toBeCloseTo(before, 0);
    await page.keyboard.press('Shift+ArrowRight');
    expect((await headings()).slice(0, 3)).toEqual([order[0], order[2], order[1]]);
    await page.keyboard.press('Shift+ArrowLeft');
    expect(await headings()).toEqual(order);
  });

  it('the menu of columns: showing, moving, and as usual again', async () => {
    await openTable();
    const order = await headings();
    const menu = page.getByTestId('columns-menu');
    await activate(page, menu);
    await activate(page, page.getByRole('button', { name: 'Move State to the right' }));
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await headings())[2], WITHIN).toBe('State');
    await activate(page, page.getByRole('button', { name: 'Make State wider' }));
    await activate(page, page.getByRole('checkbox', { name: 'Interface' }), 'Space');
    await expect.poll(headings, WITHIN).toContain('Interface');
    await activate(page, page.getByRole('button', { name: 'The usual columns' }));
    await expect.poll(headings, WITHIN).toEqual(order);
    await page.keyboard.press('Escape');
    expect(await menu.evaluate((button) => button === document.activeElement)).toBe(true);
  });

  it('switches: ended ones, frozen order, theme, link to the view', async () => {
    await openTable();
    await page.keyboard.press('c');
    await expect.poll(() => query('closed'), WITHIN).toBe('shown');
    await page.keyboard.press('f');
    await page.getByTestId('order-held').filter({ hasText: 'order frozen' }).waitFor();
    const theme = (): Promise<unknown> => page.evaluate('document.documentElement.dataset.theme');
    await page.keyboard.press('t');
    expect(await theme()).toBe('dark');
    await activate(page, page.getByRole('button', { name: 'Light theme' }));
    expect(await theme()).toBe('light');
    await page.keyboard.press('y');
    await page.getByTestId('copied').filter({ hasText: /^Cop/ }).waitFor();
  });

  it('overlays: palette, list of keys, ledger; each closes, and the focus is back', async () => {
    await open('/');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('go to');
    await type(page, 'ArrowDown ArrowDown ArrowUp Enter');
    await expect.poll(() => page.url(), WITHIN).toMatch(/\/connections$/);
    const help = page.getByRole('button', { name: 'Keys, ?' });
    await activate(page, help);
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    expect(await help.evaluate((button) => button === document.activeElement)).toBe(true);
    const ledger = page.getByTestId('ledger');
    await activate(page, ledger);
    expect(await ledger.getAttribute('aria-expanded')).toBe('true');
    await page.keyboard.press('Escape');
    expect(await ledger.getAttribute('aria-expanded')).toBe('false');
  });

  it('packets: filtering, pausing, recording, and the connection of one', async () => {
    await open('/packets');
    await page.keyboard.press('/');
    await page.keyboard.type(`src port ${port()}`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await activate(page, page.getByRole('button', { name: 'Record pcapng' }));
    await expect
      .poll(async () => {
        await connection.send(1000);
        return page.getByTestId('recording').innerText();
      }, WITHIN)
      .toMatch(/^[1-9]/);
    const download = page.waitForEvent('download');
    await activate(page, page.getByRole('button', { name: 'Stop and save' }));
    expect((await download).suggestedFilename()).toMatch(/\.pcapng$/);
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Paused' }).waitFor();
    await activate(page, page.getByTestId('packet-row').getByRole('link').first());
    await page.getByTestId('story').waitFor();
    await activate(page, page.getByRole('button', { name: 'Back to the connections' }));
    await page.getByRole('grid').waitFor();
  });

  it('a line of the packets that has the focus stays, whatever else passes', async () => {
    await open(`/packets?filter=src+port+${port()}`);
    const rows = page.getByTestId('packet-row');
    await expect
      .poll(async () => {
        await connection.send(1000);
        return rows.count();
      }, WITHIN)
      .toBeGreaterThan(0);
    const link = rows.getByRole('link');
    await tabTo(page, link);
    await expect
      .poll(async () => {
        await connection.send(1000);
        return page.getByRole('button', { name: /new packets? ↓/ }).count();
      }, WITHIN)
      .toBe(1);
    expect(await page.evaluate('document.activeElement.closest("[data-testid=packet-row]") !== null')).toBe(
      true,
    );
  });

  it('groups, failures and listeners: how they are listed, and the connections behind one', async () => {
    const source = await failToConnect();
    await open('/groups');
    await activate(page, page.getByRole('button', { name: 'Port', exact: true }), 'Space');
    await page.getByRole('columnheader', { name: 'Port', exact: true }).waitFor();
    await activate(page, page.getByTestId('group').getByRole('link').first());
    await page.getByTestId('connection-row').first().waitFor();

    await open('/failures');
    await activate(page, page.getByRole('button', { name: 'Refused' }));
    await expect.poll(() => query('kind'), WITHIN).toBe('refused');
    await activate(page, page.getByTestId('failure').filter({ hasText: source }).getByRole('link'));
    await page.getByTestId('story').filter({ hasText: 'refused it' }).waitFor();

    await open('/listeners');
    const listener = page.getByTestId('listener').filter({ hasText: connection.destination });
    await activate(page, listener.getByRole('link'));
    await page.getByTestId('connection-row').filter({ hasText: connection.source }).waitFor();
  });
});
