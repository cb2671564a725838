// A headless Chromium with a fresh profile, and the accessibility check of a page in it.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Playwright gives every launched browser a new user data directory. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGUMENTS });
}

/** Each violation of the accessibility rules in one line. */
export async function findAxeViolations(page: Page): Promise<string[]> {
  const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  // Evaluated by the debugger and not as a script element, which the page's CSP forbids.
  await page.evaluate(await readFile(axePath, 'utf8'));
  const results = await page.evaluate<AxeResults>('axe.run()');
  return results.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
  );
}

/** Waits until every chart of the page is drawn as wide as it stands there. */
export async function waitForCharts(page: Page): Promise<void> {
  await page.locator('.u-over').first().waitFor();
  await page.waitForFunction(`document.fonts.ready.then(() =>
    [...document.querySelectorAll('figure .uplot')].every(
      (chart) => Math.abs(chart.clientWidth - chart.parentElement.clientWidth) <= 1,
    ))`);
  // Drawn with one frame, and on the screen with the next.
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
}

/** The point that a chart says it is at, and what it says of each line there: at once, so that no update comes between. */
export function readLegend(plot: Locator): Promise<{ index: number; shown: Record<string, string> }> {
  return plot.evaluate((element) => ({
    index: Number(element.dataset.index),
    shown: Object.fromEntries(
      [...element.querySelectorAll<HTMLElement>('[data-series]')].map((line) => [
        line.dataset.series ?? '',
        line.textContent,
      ]),
    ),
  }));
}

/** Addresses outside of the daemon that the page asked for; there must be none. */
export function watchForeignRequests(page: Page, url: string): string[] {
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) {
      foreign.push(request.url());
    }
  });
  return foreign;
}
