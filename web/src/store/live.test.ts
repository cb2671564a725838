// The live table: snapshots take its place whole, changes and removals apply to it.
import { describe, expect, it, vi } from 'vitest';
import { connection, START_MS } from '../test/fixtures';
import { LiveStore } from './live';

const at = (instance: number, revision: number): { instance: bigint; revision: bigint } => ({
  instance: BigInt(instance),
  revision: BigInt(revision),
});

function storeWith(...ids: number[]): LiveStore {
  const store = new LiveStore();
  store.snapshotPart(
    true,
    ids.map((id) => connection(id)),
  );
  store.snapshotEnd(at(1, 1));
  return store;
}

const idsOf = (store: LiveStore): number[] => [...store.connections.keys()].map(Number);

describe('LiveStore', () => {
  it('keeps the old table until a new snapshot is complete', () => {
    const store = storeWith(1, 2);
    store.snapshotPart(true, [connection(2), connection(3)]);
    expect(idsOf(store)).toEqual([1, 2]);
    expect(store.loading).toBe(2);
    store.snapshotEnd(at(1, 9));
    expect(idsOf(store)).toEqual([2, 3]);
    expect(store.loading).toBeUndefined();
  });

  it('keeps every row when the stream was resumed without a snapshot', () => {
    const store = storeWith(1, 2);
    const before = store.connections.get(1n);
    store.link({ kind: 'reconnecting', sinceMs: 0, attempt: 0, failure: { kind: 'ended', message: '' } });
    store.snapshotEnd(at(1, 1));
    expect(store.connections.get(1n)).toBe(before);
    expect(idsOf(store)).toEqual([1, 2]);
  });

  it('starts a snapshot afresh at its first part', () => {
    const store = new LiveStore();
    store.snapshotPart(true, [connection(1)]);
    store.snapshotPart(true, [connection(2)]);
    store.snapshotEnd(at(1, 1));
    expect(idsOf(store)).toEqual([2]);
  });

  it('applies changes and removals and tells others in that order', () => {
    const store = storeWith(1, 2);
    const heard: string[] = [];
    store.listen({
      upserted: (connections) => heard.push(`upserted ${connections.map(({ id }) => id).join()}`),
      removed: (connections) => heard.push(`removed ${connections.map(({ id }) => id).join()}`),
      replaced: vi.fn(),
    });
    store.changes(at(1, 2), [connection(3)], [1n, 99n]);
    expect(idsOf(store)).toEqual([2, 3]);
    expect(heard).toEqual(['upserted 3', 'removed 1']);
  });

  it('tells whether a snapshot belongs to another run of the daemon', () => {
    const store = storeWith(1);
    const replaced = vi.fn();
    store.listen({ upserted: vi.fn(), removed: vi.fn(), replaced });
    store.snapshotPart(true, [connection(1)]);
    store.snapshotEnd(at(2, 1));
    expect(replaced).toHaveBeenCalledWith(expect.any(Map), false);
    expect(store.find({ instance: 1n, id: 1n })).toBeUndefined();
    expect(store.find({ instance: 2n, id: 1n })).toBeDefined();
  });

  it('follows the clock of the daemon and stops it while the link is down', () => {
    const store = storeWith(1);
    store.link({ kind: 'live', sinceMs: START_MS });
    store.heard(START_MS, START_MS + 60_000);
    store.heard(START_MS + 1000, START_MS + 60_900);
    expect(store.delayMs).toBe(100);
    expect(store.daemonNowMs(START_MS + 2000)).toBe(START_MS + 62_000);
    store.link({ kind: 'reconnecting', sinceMs: 0, attempt: 0, failure: { kind: 'ended', message: '' } });
    expect(store.daemonNowMs(START_MS + 99_000)).toBe(START_MS + 61_000);
  });
});
