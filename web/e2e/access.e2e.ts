// A daemon behind TLS that wants a token: the page asks for one, over HTTP/2 as browsers speak it.
// Needs the daemon's binary in TCPVIEWER_DAEMON, the right to load eBPF programs, and in
// TCPVIEWER_CERTIFICATES a folder with certificate.pem and key.pem; skipped without.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAxeViolations, launchBrowser } from './browser';
import { activate, tabTo } from './keyboard';
import { freePort } from './port';

const DAEMON = process.env.TCPVIEWER_DAEMON;
const CERTIFICATES = process.env.TCPVIEWER_CERTIFICATES;
const WITHIN = { timeout: 20_000, interval: 50 };

describe.skipIf(DAEMON === undefined || CERTIFICATES === undefined)('a daemon that wants a token', () => {
  let folder: string;
  let url: string;
  let daemon: ChildProcess;
  let browser: Browser;
  let page: Page;
  let weak: string;
  let strong: string;

  /** Makes a token, puts its entry into the access file, and returns it. */
  const makeToken = async (role: string): Promise<string> => {
    const made = await promisify(execFile)(DAEMON ?? '', ['token', '--name', role, '--role', role]);
    await writeFile(join(folder, 'access.toml'), made.stdout, { flag: 'a', mode: 0o600 });
    return /tcpviewer_[0-9a-f]{64}/.exec(made.stderr)?.[0] ?? '';
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tcpviewer-'));
    [weak, strong] = [await makeToken('connections'), await makeToken('packets')];
    const address = `127.0.0.1:${await freePort()}`;
    url = `https://${address}`;
    const certificates = CERTIFICATES ?? '';
    const options = {
      listen: address,
      interface: 'lo',
      access: join(folder, 'access.toml'),
      'tls-certificate': join(certificates, 'certificate.pem'),
      'tls-key': join(certificates, 'key.pem'),
    };
    const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    daemon = spawn(DAEMON ?? '', ['run', ...flags], { stdio: ['ignore', 'pipe', 'ignore'] });
    // It says so once it serves.
    await once(daemon.stdout ?? daemon, 'data');
    browser = await launchBrowser();
    page = await browser.newPage({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
    await page.goto(url);
  });

  afterAll(async () => {
    const exited = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await exited;
    await browser.close();
    await rm(folder, { recursive: true });
  });

  const linkState = (): Promise<string> => page.getByTestId('link-state').innerText();
  const enter = async (token: string): Promise<void> => {
    await tabTo(page, page.getByLabel('Token', { exact: true }));
    await page.keyboard.type(token);
    await page.keyboard.press('Enter');
  };

  it.each(['dark', 'light'])('asks for it, accessibly in the %s theme', async (theme) => {
    await expect.poll(linkState, WITHIN).toBe('token needed');
    await page.getByRole('button', { name: `${theme} theme` }).click();
    await page.getByText('The daemon wants a token.').waitFor();
    expect(await findAxeViolations(page)).toEqual([]);
  });

  it('says when it is refused', async () => {
    await enter('wrong');
    await page.getByText('The daemon refuses this token.').waitFor();
    expect(await findAxeViolations(page)).toEqual([]);
  });

  it('is live with one that is good, and says what its role does not cover', async () => {
    await enter(weak);
    await expect.poll(linkState, WITHIN).toBe('live');
    const protocol = await page.evaluate(
      () => performance.getEntriesByType('navigation').map((entry) => entry.toJSON() as unknown)[0],
    );
    expect(protocol).toMatchObject({ nextHopProtocol: 'h2' });
    await page.keyboard.press('g');
    await page.keyboard.press('p');
    await page.getByText('this needs the role packets; yours is connections').waitFor();
  });

  it('keeps it over a reload, and forgets it when told to', async () => {
    await page.reload();
    await expect.poll(linkState, WITHIN).toBe('live');
    await activate(page, page.getByRole('button', { name: 'Forget token' }));
    await page.getByText('The daemon wants a token.').waitFor();
    await enter(strong);
    await page.getByText('Waiting for the next packet.').or(page.getByTestId('packet-row').first()).waitFor();
  });

  it('is asked for another one when its token is withdrawn', async () => {
    const access = join(folder, 'access.toml');
    const entries = await readFile(access, 'utf8');
    await writeFile(access, entries.slice(0, entries.lastIndexOf('[[token]]')));
    await page.getByText('The daemon refuses this token.').waitFor();
    expect(await linkState()).toBe('token needed');
  });
});
