// A way to the daemon on which the script of the shared worker gets another clock, as that of its page is made another
// by Playwright. Everything else passes as it is.
import { once } from 'node:events';
import { createServer, request as ask, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Page } from 'playwright-core';

const CHANNEL = 'clock of the test';

/** Put before the worker's script. Modules that it imports ask for the time later. */
function shim(offMs: number): string {
  return `
    const { now } = Date;
    let offMs = ${offMs};
    Date.now = () => now() + offMs;
    new BroadcastChannel('${CHANNEL}').onmessage = ({ data }) => { offMs = data; };
  `;
}

/** The worker's clock is this far off when it starts. */
export async function openClockProxy(
  urlOfDaemon: string,
  offMs: number,
): Promise<{ url: string; close: () => void }> {
  const server = createServer((request, response) => {
    const { method, url = '/', headers } = request;
    const isWorker = /\/shared-worker-[^/]*\.js$/.test(url);
    const asked = ask(new URL(url, urlOfDaemon), {
      method,
      headers: isWorker ? { host: headers.host } : headers,
    });
    const answer = (answered: IncomingMessage): void => {
      const { statusCode = 502, headers: told } = answered;
      if (!isWorker) {
        response.writeHead(statusCode, told);
        response.flushHeaders();
        answered.pipe(response);
        return;
      }
      void buffer(answered).then((script) => {
        delete told['content-length'];
        response.writeHead(statusCode, told);
        response.end(`{${shim(offMs)}}\n${script.toString()}`);
      });
    };
    asked.on('response', answer);
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
    request.pipe(asked);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Sets the clock of the page's shared worker, so far off. */
export async function setWorkerClock(page: Page, offMs: number): Promise<void> {
  await page.evaluate(`new BroadcastChannel('${CHANNEL}').postMessage(${offMs})`);
}
