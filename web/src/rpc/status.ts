// Asks for the daemon's status once per second while the page is visible, one question at a time, and
// much less often while the daemon refuses to tell.
import type { Status } from '../domain/status';
import { toStatus } from './convert-status';
import { isRefusal, REFUSED_DELAY_MS, toFailure, wait } from './retry';
import type { TcpViewerClient } from './transport';

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 5000;

/** Whether anybody looks, and how to hear that it changed; `document` in the browser. */
export type Visibility = Pick<Document, 'visibilityState' | 'addEventListener' | 'removeEventListener'>;

export class StatusFeed {
  readonly #client: TcpViewerClient;
  readonly #onStatus: (status: Status) => void;
  readonly #page: Visibility;
  #running: AbortController | undefined;
  #pause = new AbortController();

  constructor(client: TcpViewerClient, onStatus: (status: Status) => void, page: Visibility) {
    this.#client = client;
    this.#onStatus = onStatus;
    this.#page = page;
  }

  start(): void {
    if (this.#running === undefined) {
      this.#running = new AbortController();
      void this.#run(this.#running.signal);
    }
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  /** Ends the wait after a refusal: there is another token. */
  retryNow(): void {
    this.#pause.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#untilVisible(signal);
      let delayMs = INTERVAL_MS;
      this.#pause = new AbortController();
      try {
        this.#onStatus(toStatus(await this.#client.getStatus({}, { signal, timeoutMs: TIMEOUT_MS })));
      } catch (error) {
        // The live feed tells the user when the daemon is gone; this one just asks again.
        if (isRefusal(toFailure(error))) {
          delayMs = REFUSED_DELAY_MS;
        }
      }
      await wait(delayMs, AbortSignal.any([signal, this.#pause.signal]));
    }
  }

  async #untilVisible(signal: AbortSignal): Promise<void> {
    while (this.#page.visibilityState === 'hidden' && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          this.#page.removeEventListener('visibilitychange', finish);
          signal.removeEventListener('abort', finish);
          resolve();
        };
        this.#page.addEventListener('visibilitychange', finish);
        signal.addEventListener('abort', finish);
      });
    }
  }
}
