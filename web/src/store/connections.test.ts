// The connections of a topic: snapshots take their place whole, changes and removals apply to them.
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConnectionsTopic } from '../domain/topic';
import { TestFeeds } from '../test/feeds';
import { connection } from '../test/fixtures';
import { ConnectionStore } from './connections';

const ALL: ConnectionsTopic = {
  kind: 'connections',
  filter: '',
  orderBy: 'rate desc',
  offset: 0,
  limit: 500,
};

describe('ConnectionStore', () => {
  let feeds: TestFeeds;
  let store: ConnectionStore;

  beforeEach(() => {
    feeds = new TestFeeds();
    store = new ConnectionStore(feeds);
    store.watch(ALL);
    feeds.snapshot([connection(1), connection(2)]);
  });

  const ids = (): number[] => [...store.connections.keys()].map(Number);
  const part = (first: boolean, ...of: number[]): void => {
    feeds.tell('connections', { kind: 'snapshot', first, connections: of.map((id) => connection(id)) });
  };
  const end = (instance: bigint): void => {
    feeds.tell('connections', { kind: 'snapshot-end', at: { instance, revision: 1n }, total: 2 });
  };

  it('keeps the old rows until a new snapshot is complete', () => {
    part(true, 2, 3);
    expect(ids()).toEqual([1, 2]);
    expect(store.loading).toBe(2);
    end(1n);
    expect(ids()).toEqual([2, 3]);
    expect(store.loading).toBeUndefined();
  });

  it('keeps every row when the stream was resumed without a snapshot', () => {
    const before = store.connections.get(1n);
    end(1n);
    expect(store.connections.get(1n)).toBe(before);
    expect(ids()).toEqual([1, 2]);
  });

  it('starts a snapshot afresh at its first part', () => {
    part(true, 8);
    part(true, 9);
    end(1n);
    expect(ids()).toEqual([9]);
  });

  it('applies changes and removals and tells others in that order', () => {
    const heard: string[] = [];
    store.listen({
      upserted: (connections) => heard.push(`upserted ${connections.map(({ id }) => id).join()}`),
      removed: (connections) => heard.push(`removed ${connections.map(({ id }) => id).join()}`),
      replaced: vi.fn(),
    });
    feeds.changes([connection(3)], [1n, 99n]);
    expect(ids()).toEqual([2, 3]);
    expect(heard).toEqual(['upserted 3', 'removed 1']);
  });

  it('tells whether a snapshot belongs to another run of the daemon', () => {
    const replaced = vi.fn();
    store.listen({ upserted: vi.fn(), removed: vi.fn(), replaced });
    feeds.snapshot([connection(1)], 2n);
    expect(replaced).toHaveBeenCalledWith(expect.any(Map), false);
    expect(store.find({ instance: 1n, id: 1n })).toBeUndefined();
    expect(store.find({ instance: 2n, id: 1n })).toBeDefined();
  });

  it('keeps the rows of the last filter until those of the next are there', () => {
    store.watch({ ...ALL, filter: 'port 443' });
    expect(store.settled).toBe(false);
    expect(ids()).toEqual([1, 2]);
    expect(feeds.topics('connections')).toEqual([{ ...ALL, filter: 'port 443' }]);
    feeds.snapshot([connection(7)]);
    expect(ids()).toEqual([7]);
    expect(store.settled).toBe(true);
  });

  it('keeps its rows while a filter is wrong, and drops them when they are forbidden', () => {
    const refused = (kind: 'invalid' | 'forbidden'): void => {
      feeds.tell('connections', {
        kind: 'link',
        link: { kind: 'refused', sinceMs: 0, failure: { kind, message: '' } },
      });
    };
    refused('invalid');
    expect(ids()).toEqual([1, 2]);
    refused('forbidden');
    expect(ids()).toEqual([]);
  });

  it('asks for nothing any more when nobody looks', () => {
    store.watch(undefined);
    expect(feeds.topics('connections')).toEqual([]);
    expect(ids()).toEqual([1, 2]);
  });
});
