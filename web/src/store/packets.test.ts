// The packet ring: the newest packets of what is asked for, numbered, and what was lost of them.
import { beforeEach, describe, expect, it } from 'vitest';
import type { PacketsTopic } from '../domain/topic';
import { TestFeeds } from '../test/feeds';
import { packet } from '../test/fixtures';
import { PacketStore, RING_SIZE } from './packets';

const ALL: PacketsTopic = { kind: 'packets', filter: '', connectionId: undefined, last: 1000 };

describe('PacketStore', () => {
  let feeds: TestFeeds;
  let store: PacketStore;

  beforeEach(() => {
    feeds = new TestFeeds();
    store = new PacketStore(feeds);
    store.watch(ALL);
    feeds.tell('packets', { kind: 'packets-begin' });
  });

  const batch = (count: number, lostInKernel = 0, lostInStream = 0, sampling = 1): void => {
    const packets = Array.from({ length: count }, () => packet(1));
    feeds.tell('packets', {
      kind: 'packets',
      batch: { packets, lostInKernel, lostInStream, leftOut: lostInKernel * sampling, sampling },
    });
  };

  it('keeps the newest packets and numbers all of them', () => {
    batch(RING_SIZE + 5);
    expect(store.ring).toHaveLength(RING_SIZE);
    expect(store.ring.at(-1)?.number).toBe(RING_SIZE + 5);
  });

  it('shows no packet twice when another stream begins with those at hand', () => {
    batch(3);
    feeds.tell('packets', { kind: 'packets-begin' });
    batch(4);
    expect(store.ring).toHaveLength(4);
  });

  it('reports what was lost, and forgets it with the stream', () => {
    batch(0, 3, 4, 16);
    expect([store.lostInKernel, store.lostInStream]).toEqual([3, 4]);
    expect([store.leftOut, store.sampling]).toEqual([48, 16]);
    store.watch({ ...ALL, filter: 'syn' });
    expect([store.lostInKernel, store.lostInStream]).toEqual([0, 0]);
    expect([store.leftOut, store.sampling]).toEqual([0, 1]);
    expect(feeds.topics('packets')).toEqual([{ ...ALL, filter: 'syn' }]);
  });
});
