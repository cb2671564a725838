// How much memory the scripts of a page take, and those of its shared worker, without what only waits to be collected.
import type { Browser, CDPSession, Page } from 'playwright-core';

interface Heaps {
  /** Of the page and of its worker, each in megabytes. */
  readonly used: () => Promise<[number, number]>;
  /** A worker that is looked into does not begin anew with the next page. */
  readonly close: () => Promise<void>;
}

/** Asks one of the two: the worker has no session of its own in Playwright, so what it is asked is passed on as text. */
type Ask = (method: string) => Promise<unknown>;

export async function openHeaps(browser: Browser, page: Page): Promise<Heaps> {
  const ofPage = await page.context().newCDPSession(page);
  const chromium = await browser.newBrowserCDPSession();
  const ofWorker = await askWorker(chromium);
  const used = async (ask: Ask): Promise<number> => {
    await ask('HeapProfiler.collectGarbage');
    const { usedSize } = (await ask('Runtime.getHeapUsage')) as { usedSize: number };
    return usedSize / 1e6;
  };
  return {
    used: async () => [
      await used((method) => ofPage.send(method as 'Runtime.getHeapUsage')),
      await used(ofWorker),
    ],
    close: async () => {
      await Promise.all([ofPage.detach(), chromium.detach()]);
    },
  };
}

async function askWorker(chromium: CDPSession): Promise<Ask> {
  const { targetInfos } = await chromium.send('Target.getTargets');
  const worker = targetInfos.find(({ type }) => type === 'shared_worker');
  if (worker === undefined) {
    throw new Error('the page has no shared worker');
  }
  const { sessionId } = await chromium.send('Target.attachToTarget', { targetId: worker.targetId });
  const waiting = new Map<number, (result: unknown) => void>();
  chromium.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message) as { id?: number; result?: unknown };
    if (id !== undefined) {
      waiting.get(id)?.(result);
      waiting.delete(id);
    }
  });
  let asked = 0;
  return (method) => {
    asked += 1;
    const id = asked;
    const answer = new Promise((resolve) => waiting.set(id, resolve));
    void chromium.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) });
    return answer;
  };
}
