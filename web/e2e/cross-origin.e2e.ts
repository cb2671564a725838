// A web page elsewhere, opened in the browser of somebody who can reach the daemon at TCPVIEWER_URL: it learns nothing of
// a connection, by whatever means a page has, nor does one whose name was pointed at the daemon (DNS rebinding).
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from './browser';

const URL_OF_DAEMON = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';
const PORT = new URL(URL_OF_DAEMON).port;

/** Tries of a page to read; each returns what it could see. They run in the browser. */
const tries: Record<string, (daemon: string) => Promise<string>> = {
  'JSON by fetch': async (daemon) => (await fetch(`${daemon}/api/traffic`)).text(),
  'JSON by an opaque fetch': async (daemon) =>
    (await fetch(`${daemon}/api/traffic`, { mode: 'no-cors' })).text(),
  'gRPC-Web': async (daemon) => {
    const answer = await fetch(`${daemon}/tcpviewer.v1.TcpViewerService/ListConnections`, {
      method: 'POST',
      headers: { 'content-type': 'application/grpc-web+proto' },
      body: new Uint8Array(5),
    });
    return answer.text();
  },
  'gRPC-Web that needs no leave': async (daemon) => {
    const answer = await fetch(`${daemon}/tcpviewer.v1.TcpViewerService/ListConnections`, {
      method: 'POST',
      mode: 'no-cors',
      body: new Uint8Array(5),
    });
    return answer.text();
  },
  XMLHttpRequest: (daemon) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('GET', `${daemon}/api/traffic`);
      request.onload = () => {
        resolve(request.responseText);
      };
      request.onerror = () => {
        reject(new Error('refused'));
      };
      request.send();
    }),
  'a script': (daemon) =>
    new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = `${daemon}/api/traffic`;
      script.onload = () => {
        resolve('loaded');
      };
      script.onerror = () => {
        reject(new Error('refused'));
      };
      document.head.append(script);
    }),
  'a frame': (daemon) =>
    new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.src = `${daemon}/api/traffic`;
      frame.onload = () => {
        resolve(frame.contentDocument?.body.innerText ?? '');
      };
      document.body.append(frame);
    }),
};

describe('a web page elsewhere', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    server = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>elsewhere</title><body>');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    browser = await launchBrowser();
    page = await browser.newPage();
  });

  afterAll(async () => {
    await browser.close();
    server.close();
  });

  /** What the page at this address sees by one of the tries; nothing where that is refused. */
  const seen = async (address: string, name: string): Promise<string> => {
    await page.goto(address);
    const script = `(${String(tries[name])})(${JSON.stringify(URL_OF_DAEMON)})`;
    return page.evaluate<string>(script).catch(() => '');
  };

  it.each(['JSON by fetch', 'gRPC-Web'])('is refused what the own page gets: %s', async (name) => {
    const elsewhere = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;

    expect((await seen(URL_OF_DAEMON, name)).length).toBeGreaterThan(0);
    expect(await seen(elsewhere, name)).toBe('');
  });

  it.each(Object.keys(tries))('sees nothing: %s', async (name) => {
    const { port } = server.address() as AddressInfo;
    for (const host of ['127.0.0.1', 'localhost']) {
      expect(await seen(`http://${host}:${String(port)}/`, name)).toBe('');
    }
  });

  it('is not the daemon when its name is pointed there', async () => {
    const rebound = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox', '--host-resolver-rules=MAP rebound.example 127.0.0.1'],
    });
    const other = await rebound.newPage();
    for (const path of ['/', '/api/traffic', '/connections/1']) {
      const answer = await other.goto(`http://rebound.example:${PORT}${path}`);
      expect(answer?.status()).toBe(403);
      expect(await answer?.text()).toContain('is not this daemon');
    }
    await rebound.close();
  });
});
