// A connection over a line that delays, loses and reorders packets, to the server at TCPVIEWER_LOSSY_SERVER that reads
// everything: each retransmission that the tracker counted has a mark, charts say under the pointer what the daemon
// says, and the views are pictured for the documentation where SCREENSHOTS names a folder.
import { mkdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatByteRate, formatMicroseconds } from '../src/domain/format';
import { TcpViewerService, type WatchConnectionResponse } from '../src/gen/tcpviewer/v1/service_pb';
import { launchBrowser, waitForCharts } from './browser';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const SERVER = process.env.TCPVIEWER_LOSSY_SERVER;
const SCREENSHOTS = process.env.SCREENSHOTS;
const WITHIN = { timeout: 30_000, interval: 100 };
/** So much that some of it gets lost, and that all its packets fit into what a page keeps of them. */
const BYTES = 500_000;
const WRITTEN_AT_ONCE = 20_000;
const PAUSE_MS = 100;

describe.skipIf(SERVER === undefined)('a lossy line', () => {
  let browser: Browser;
  let page: Page;
  let socket: Socket;
  /** Its page, and its number there. */
  let url: string;
  let id: bigint;
  const client = createClient(TcpViewerService, createGrpcWebTransport({ baseUrl: URL_OF_DAEMON }));

  const open = async (): Promise<Socket> => {
    const [host, port] = SERVER?.split(':') ?? [];
    const opened = connect(Number(port), host);
    await once(opened, 'connect');
    return opened;
  };
  const send = async (to: Socket, bytes: number): Promise<void> => {
    for (let sent = 0; sent < bytes; sent += WRITTEN_AT_ONCE) {
      to.write(Buffer.alloc(WRITTEN_AT_ONCE));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  /** All that the daemon knows of the connection's past. */
  const past = async (): Promise<WatchConnectionResponse> => {
    for await (const first of client.watchConnection({ id })) {
      return first;
    }
    throw new Error('the daemon tells nothing');
  };
  const picture = async (name: string, of: Page): Promise<void> => {
    if (SCREENSHOTS !== undefined) {
      await mkdir(SCREENSHOTS, { recursive: true });
      await of.mouse.move(0, 0);
      if ((await of.locator('figure').count()) > 0) {
        await waitForCharts(of);
      }
      await of.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    }
  };

  beforeAll(async () => {
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark' });
    socket = await open();
    await page.goto(`${URL_OF_DAEMON}/connections?filter=source.port+==+${socket.localPort ?? 0}`);
    await page.getByTestId('connection-row').click();
    await page.waitForURL(/selected=/);
    const query = new URL(page.url()).searchParams;
    id = BigInt(query.get('selected') ?? 0);
    url = `${URL_OF_DAEMON}/connections/${id}?run=${query.get('run') ?? ''}`;
    await page.goto(url);
    await page.getByTestId('story').waitFor();
  });

  afterAll(async () => {
    socket.destroy();
    await browser.close();
  });

  it('has a mark in the plot for each retransmission that was counted', async () => {
    await send(socket, BYTES);
    const counted = async (): Promise<number> => {
      const { connection } = await client.getConnection({ id });
      // All is acknowledged, so nothing more is sent again.
      return connection?.sent?.inFlightBytes === 0 ? Number(connection.sent.retransmissions) : 0;
    };
    await expect.poll(counted, WITHIN).toBeGreaterThan(0);
    const again = await counted();
    const plot = page.getByTestId('time-sequence');
    await expect.poll(() => plot.getAttribute('data-again'), WITHIN).toBe(String(again));
    await plot.filter({ hasText: `${again} of ${again} sent again` }).waitFor();
    process.stdout.write(`${again} retransmissions counted, ${again} marks\n`);
    await picture('connection', page);
  });

  it('has charts that say under the pointer what the daemon says', async () => {
    // It is quiet now, so that what is asked for after the page is what the page was told.
    const other = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await other.goto(url);
    await waitForCharts(other);
    const { points } = await past();
    const formats = { throughput: formatByteRate, rtt: formatMicroseconds };
    const valuesOf = {
      throughput: ({ sent }: (typeof points)[number]) => Number(sent?.payloadBytesPerSecond ?? 0),
      rtt: ({ sent }: (typeof points)[number]) => sent?.srttUs,
    };
    const names = { throughput: 'sent', rtt: 'to destination' };
    const hovered = new Set<number>();
    for (const chart of ['throughput', 'rtt'] as const) {
      const plot = other.getByTestId(`plot-connection-${chart}`);
      const box = await plot.locator('.u-over').boundingBox();
      if (box === null) {
        throw new Error(`no ${chart} chart`);
      }
      for (const share of [0.7, 0.8, 0.9, 0.97]) {
        await other.mouse.move(box.x + box.width * share, box.y + box.height / 2);
        const index = Number(await plot.getAttribute('data-index'));
        const point = points[index];
        expect(point, `point ${index} of ${points.length}`).toBeDefined();
        if (point !== undefined) {
          const shown = await plot.locator(`[data-series="${names[chart]}"]`).innerText();
          expect(shown, `${chart} at point ${index}`).toBe(formats[chart](valuesOf[chart](point)));
          hovered.add(index);
        }
      }
    }
    expect(hovered.size).toBeGreaterThan(1);
    await other.close();
  });

  it.skipIf(SCREENSHOTS === undefined)(
    'is pictured for the documentation',
    { timeout: 120_000 },
    async () => {
      const sockets = await Promise.all(Array.from({ length: 12 }, open));
      const sending = Promise.all(sockets.map((one, index) => send(one, 2_000_000 + index * 200_000)));
      const light = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
      await page.goto(URL_OF_DAEMON);
      await light.goto(`${URL_OF_DAEMON}/packets`);
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      await picture('dashboard', page);
      await picture('packets', light);
      await light.goto(`${URL_OF_DAEMON}/connections`);
      await new Promise((resolve) => setTimeout(resolve, 4000));
      await picture('connections', light);
      await sending;
      for (const one of sockets) {
        one.destroy();
      }
    },
  );
});
