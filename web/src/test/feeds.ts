// Feeds for tests: they tell what the test says, and remember who listens to what.
import type { Connection } from '../domain/connection';
import type { Recorder } from '../domain/recording';
import type { FeedBody, FeedListener, Feeds, Topic } from '../domain/topic';
import { createStores, type Stores } from '../store/stores';
import { TokenStore } from '../store/token';

interface Open {
  readonly topic: Topic;
  readonly listener: FeedListener;
}

export class TestFeeds implements Feeds {
  readonly #listeners = new Set<Open>();
  retries = 0;

  open(topic: Topic, listener: FeedListener): () => void {
    const entry = { topic, listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  retryNow(): void {
    this.retries += 1;
  }

  /** What is asked for now, in the order in which it was. */
  topics<Kind extends Topic['kind']>(kind: Kind): Extract<Topic, { kind: Kind }>[] {
    const isKind = (topic: Topic): topic is Extract<Topic, { kind: Kind }> => topic.kind === kind;
    return [...this.#listeners].map(({ topic }) => topic).filter(isKind);
  }

  /** Tells everybody who listens to this kind of topic. */
  tell(kind: Topic['kind'], body: FeedBody, atMs = Date.now(), sentAtMs?: number): void {
    for (const { topic, listener } of this.#listeners) {
      if (topic.kind === kind) {
        listener({ ...body, atMs, sentAtMs });
      }
    }
  }

  /** Tells a whole list of connections, of that run of the daemon. */
  snapshot(connections: readonly Connection[], instance = 1n): void {
    this.tell('connections', { kind: 'snapshot', first: true, connections });
    const total = connections.length;
    this.tell('connections', { kind: 'snapshot-end', at: { instance, revision: 1n }, total });
  }

  /** `order` has the ids of all that is held after it; without, it did not change. */
  changes(
    connections: readonly Connection[],
    removed: readonly bigint[] = [],
    order?: readonly number[],
  ): void {
    this.tell('connections', {
      kind: 'changes',
      at: { instance: 1n, revision: 2n },
      connections,
      removed,
      total: order?.length ?? 0,
      order: order?.map(BigInt),
    });
  }
}

/** Ends at once, without a packet. */
export const NO_RECORDER: Recorder = { record: () => Promise.resolve() };

export function testStores(feeds: Feeds = new TestFeeds()): Stores {
  return createStores({ feeds, recorder: NO_RECORDER, token: new TokenStore(undefined) });
}
