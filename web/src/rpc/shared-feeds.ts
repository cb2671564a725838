// One feed per topic, however many listeners it has. The last to leave ends it, a little later: who
// moves between two views comes back to a running feed.
import { topicKey, type FeedListener, type Feeds, type Topic } from '../domain/topic';
import { Feed } from './feed';
import { FeedMemory } from './memory';
import type { TcpViewerClient } from './transport';

/** A feed nobody listens to runs on for this long. Packets cost the kernel work, so they end at once. */
const LINGER_MS = {
  status: 30_000,
  stats: 30_000,
  groups: 1000,
  listeners: 1000,
  connections: 1000,
  connection: 1000,
  packets: 0,
};

interface Shared {
  readonly feed: Feed;
  readonly memory: FeedMemory;
  readonly listeners: Set<FeedListener>;
  ending: ReturnType<typeof setTimeout> | undefined;
}

export class SharedFeeds implements Feeds {
  readonly #client: TcpViewerClient;
  readonly #now: () => number;
  readonly #shared = new Map<string, Shared>();

  constructor(client: TcpViewerClient, now: () => number = Date.now) {
    this.#client = client;
    this.#now = now;
  }

  open(topic: Topic, listener: FeedListener): () => void {
    const key = topicKey(topic);
    const shared = this.#shared.get(key) ?? this.#start(key, topic);
    clearTimeout(shared.ending);
    shared.ending = undefined;
    for (const message of shared.memory.tell(this.#now())) {
      listener(message);
    }
    shared.listeners.add(listener);
    return () => {
      shared.listeners.delete(listener);
      if (shared.listeners.size === 0 && shared.ending === undefined) {
        shared.ending = setTimeout(() => {
          shared.feed.stop();
          this.#shared.delete(key);
        }, LINGER_MS[topic.kind]);
      }
    };
  }

  retryNow(): void {
    for (const { feed } of this.#shared.values()) {
      feed.retryNow();
    }
  }

  /** Ends every feed at once. */
  stop(): void {
    for (const { feed, ending } of this.#shared.values()) {
      clearTimeout(ending);
      feed.stop();
    }
    this.#shared.clear();
  }

  #start(key: string, topic: Topic): Shared {
    const memory = new FeedMemory();
    const listeners = new Set<FeedListener>();
    const feed = new Feed(
      this.#client,
      topic,
      (message) => {
        memory.take(message);
        for (const listener of listeners) {
          listener(message);
        }
      },
      this.#now,
    );
    const shared: Shared = { feed, memory, listeners, ending: undefined };
    this.#shared.set(key, shared);
    return shared;
  }
}
