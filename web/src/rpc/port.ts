// Feeds across a message port: a page asks the shared worker, which holds the streams, and is told what its
// feeds tell. What crosses the port is plain data.
import type { FeedListener, FeedMessage, Feeds, Topic } from '../domain/topic';

/** What a page says to the worker. */
export type ToWorker =
  | { readonly kind: 'open'; readonly number: number; readonly topic: Topic }
  | { readonly kind: 'close'; readonly number: number }
  /** The token to show from now on. */
  | { readonly kind: 'token'; readonly token: string | undefined }
  | { readonly kind: 'retry' }
  /** The page goes. */
  | { readonly kind: 'leave' };

/** What the worker says to a page. */
export interface FromWorker {
  readonly number: number;
  readonly message: FeedMessage;
}

/** The end of a port that these need; a MessagePort is one. */
export interface PortEnd {
  postMessage(message: unknown): void;
  addEventListener(kind: 'message', listener: (event: MessageEvent) => void): void;
}

/** The page's side. */
export class PortFeeds implements Feeds {
  readonly #port: PortEnd;
  readonly #listeners = new Map<number, FeedListener>();
  #last = 0;

  constructor(port: PortEnd) {
    this.#port = port;
    port.addEventListener('message', ({ data }) => {
      const { number, message } = data as FromWorker;
      this.#listeners.get(number)?.(message);
    });
  }

  open(topic: Topic, listener: FeedListener): () => void {
    this.#last += 1;
    const number = this.#last;
    this.#listeners.set(number, listener);
    this.#say({ kind: 'open', number, topic });
    return () => {
      this.#listeners.delete(number);
      this.#say({ kind: 'close', number });
    };
  }

  retryNow(): void {
    this.#say({ kind: 'retry' });
  }

  setToken(token: string | undefined): void {
    this.#say({ kind: 'token', token });
  }

  leave(): void {
    this.#say({ kind: 'leave' });
  }

  #say(message: ToWorker): void {
    this.#port.postMessage(message);
  }
}

/** The worker's side of one page, until the returned function is called or the page leaves. `feedsOf` gives
 * the feeds that show a token. */
export function servePage(port: PortEnd, feedsOf: (token: string | undefined) => Feeds): () => void {
  let feeds = feedsOf(undefined);
  const open = new Map<number, { readonly topic: Topic; readonly close: () => void }>();
  const start = (number: number, topic: Topic): void => {
    const close = feeds.open(topic, (message) => {
      port.postMessage({ number, message } satisfies FromWorker);
    });
    open.set(number, { topic, close });
  };
  const leave = (): void => {
    for (const { close } of open.values()) {
      close();
    }
    open.clear();
  };
  port.addEventListener('message', ({ data }) => {
    const said = data as ToWorker;
    switch (said.kind) {
      case 'open':
        start(said.number, said.topic);
        return;
      case 'close':
        open.get(said.number)?.close();
        open.delete(said.number);
        return;
      case 'token':
        feeds = feedsOf(said.token);
        for (const [number, { topic, close }] of [...open]) {
          close();
          start(number, topic);
        }
        return;
      case 'retry':
        feeds.retryNow();
        return;
      case 'leave':
        leave();
    }
  });
  return leave;
}
