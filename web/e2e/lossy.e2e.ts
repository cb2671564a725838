// A connection over a line that delays, loses and reorders packets, to the server at TCPVIEWER_LOSSY_SERVER that reads
// everything, or of iperf3: each retransmission that the tracker counted has a mark, charts say under the pointer what the daemon
// says, and the views are pictured for the documentation where SCREENSHOTS names a folder.
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatByteRate, formatBytes, formatMicroseconds, formatRate } from '../src/domain/format';
import type { Point } from '../src/gen/tcpviewer/v1/history_pb';
import { TcpViewerService, type WatchConnectionResponse } from '../src/gen/tcpviewer/v1/service_pb';
import { launchBrowser, readLegend, waitForCharts } from './browser';
import { freePort } from './port';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const SERVER = process.env.TCPVIEWER_LOSSY_SERVER;
/** Its address; at the port that is usual. */
const IPERF3_SERVER = process.env.TCPVIEWER_IPERF3_SERVER;
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
    const { connection } = await client.getConnection({ id });
    const segmentBytes = connection?.sent?.socket?.mssBytes ?? connection?.sent?.mssBytes;
    /** What the daemon says, in the words of the chart; by the name of the chart and of the line in it. */
    const told: Record<string, Record<string, (point: Point, before: Point | undefined) => string>> = {
      throughput: {
        sent: ({ sent }) => formatByteRate(Number(sent?.payloadBytesPerSecond ?? 0)),
        received: ({ received }) => formatByteRate(Number(received?.payloadBytesPerSecond ?? 0)),
      },
      rtt: {
        'to destination': ({ sent }) => formatMicroseconds(sent?.srttUs),
        kernel: ({ sent }) => formatMicroseconds(sent?.socketSrttUs),
      },
      window: {
        'in flight': ({ sent }) => formatBytes(sent?.inFlightBytes),
        cwnd: ({ sent }) => formatBytes(segments(sent?.congestionWindow, segmentBytes)),
      },
      again: {
        sent: (point, before) => formatRate(againPerSecond(point, before)),
      },
    };
    const hovered = new Set<number>();
    for (const [chart, lines] of Object.entries(told)) {
      const plot = other.getByTestId(`plot-connection-${chart}`);
      await plot.scrollIntoViewIfNeeded();
      const box = await plot.locator('.u-over').boundingBox();
      if (box === null) {
        throw new Error(`no ${chart} chart`);
      }
      for (const share of [0.7, 0.8, 0.9, 0.97]) {
        await other.mouse.move(box.x + box.width * share, box.y + box.height / 2);
        const { index, shown } = await readLegend(plot);
        const point = points[index];
        expect(point, `point ${index} of ${points.length}`).toBeDefined();
        if (point !== undefined) {
          const said = Object.entries(lines).map(([line, of]) => [line, of(point, points[index - 1])]);
          expect(shown, `${chart} at point ${index}`).toMatchObject(Object.fromEntries(said));
          hovered.add(index);
        }
      }
    }
    expect(hovered.size).toBeGreaterThan(1);
    await other.close();
  });

  it.skipIf(IPERF3_SERVER === undefined)(
    'has a mark for each retransmission of a run of iperf3',
    { timeout: 60_000 },
    async () => {
      const port = await freePort();
      const sizes = ['--bytes', String(BYTES), '--bitrate', '1M'];
      const iperf3 = spawn('iperf3', [
        '--json',
        '--client',
        IPERF3_SERVER ?? '',
        '--cport',
        String(port),
        ...sizes,
      ]);
      const report = text(iperf3.stdout);
      const other = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      await other.goto(`${URL_OF_DAEMON}/connections?closed=shown&filter=source.port+==+${port}`);
      await other.getByTestId('connection-row').click();
      await other.waitForURL(/selected=/);
      const query = new URL(other.url()).searchParams;
      const number = BigInt(query.get('selected') ?? 0);
      await other.goto(`${URL_OF_DAEMON}/connections/${number}?run=${query.get('run') ?? ''}`);
      const byKernel = retransmitsOf(await report);
      const counted = async (): Promise<number> => {
        const { connection } = await client.getConnection({ id: number });
        return connection?.closedAt === undefined ? 0 : Number(connection.sent?.retransmissions);
      };
      await expect.poll(counted, WITHIN).toBeGreaterThan(0);
      const again = await counted();
      const plot = other.getByTestId('time-sequence');
      await expect.poll(() => plot.getAttribute('data-again'), WITHIN).toBe(String(again));
      process.stdout.write(
        `iperf3: ${byKernel} retransmissions by the kernel, ${again} counted, ${again} marks\n`,
      );
      await other.close();
    },
  );

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

function segments(count: number | undefined, segmentBytes: number | undefined): number | undefined {
  return count === undefined || segmentBytes === undefined ? undefined : count * segmentBytes;
}

/** Packets sent again since the point before, per second. */
function againPerSecond({ at, sent }: Point, before: Point | undefined): number | undefined {
  if (at === undefined || before?.at === undefined) {
    return undefined;
  }
  const seconds = Number(at.seconds - before.at.seconds) + (at.nanos - before.at.nanos) / 1e9;
  return Number((sent?.retransmissions ?? 0n) - (before.sent?.retransmissions ?? 0n)) / seconds;
}

/** What iperf3 reads from its socket. */
function retransmitsOf(report: string): number {
  const { end } = JSON.parse(report) as { end: { sum_sent: { retransmits: number } } };
  return end.sum_sent.retransmits;
}
