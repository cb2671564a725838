// The order of the rows: settles once per second, still while it is held, new rows at once on a quiet host.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Connection } from '../domain/connection';
import { TestFeeds } from '../test/feeds';
import { connection, half, START_MS } from '../test/fixtures';
import { ConnectionStore } from './connections';
import { OrderStore } from './order';

const busy = (id: number, payloadBytesPerSecond: number, values: Partial<Connection> = {}): Connection =>
  connection(id, { sent: half({ payloadBytesPerSecond }), ...values });

describe('OrderStore', () => {
  let feeds: TestFeeds;
  let order: OrderStore;
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS });
    feeds = new TestFeeds();
    const source = new ConnectionStore(feeds);
    source.watch({ kind: 'connections', filter: '', orderBy: 'rate desc', offset: 0, limit: 500 });
    order = new OrderStore(source);
    stop = order.start();
    feeds.snapshot([busy(1, 30), busy(2, 20), busy(3, 10)]);
  });

  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  const rows = (): number[] => order.rows.map(Number);

  it('settles when a second has passed, and not before', () => {
    feeds.changes([busy(3, 99), busy(4, 1)], [2n], [3, 1, 4]);
    expect(rows()).toEqual([1, 2, 3]);
    expect(order.row(2n)?.listed).toBe(true);
    vi.advanceTimersByTime(1000);
    expect(rows()).toEqual([3, 1, 4]);
    expect(order.row(2n)).toBeUndefined();
  });

  it('puts a new row in its place at once when nothing moved lately', () => {
    vi.advanceTimersByTime(1500);
    feeds.changes([busy(4, 25)], [], [1, 4, 2, 3]);
    expect(rows()).toEqual([1, 4, 2, 3]);
  });

  it('stands still while it is frozen, with what left in its place', () => {
    order.setFrozen(true);
    feeds.changes([busy(3, 99), busy(4, 200)], [2n], [4, 3, 1]);
    vi.advanceTimersByTime(5000);
    expect(order.heldBy).toBe('freeze');
    expect(rows()).toEqual([1, 2, 3]);
    expect(order.row(2n)?.listed).toBe(false);
    order.setFrozen(false);
    expect(rows()).toEqual([4, 3, 1]);
  });

  it('stands still under the pointer, until it has rested for a while or left', () => {
    order.pointer(true);
    feeds.changes([busy(3, 99)], [], [3, 1, 2]);
    vi.advanceTimersByTime(3000);
    expect(order.heldBy).toBe('pointer');
    expect(rows()).toEqual([1, 2, 3]);
    order.pointer(false);
    expect(rows()).toEqual([3, 1, 2]);
    order.pointer(true);
    feeds.changes([busy(2, 200)], [], [2, 3, 1]);
    vi.advanceTimersByTime(16_000);
    expect(order.heldBy).toBeUndefined();
    expect(rows()).toEqual([2, 3, 1]);
  });

  it('keeps its order through a snapshot of the same rows while it is held', () => {
    order.setFrozen(true);
    feeds.snapshot([busy(3, 99), busy(1, 1), busy(9, 1)]);
    expect(rows()).toEqual([1, 2, 3]);
    expect(order.row(2n)?.listed).toBe(false);
  });

  it('knows where its rows stand in the whole table', () => {
    feeds.tell('connections', { kind: 'snapshot', first: true, connections: [busy(8, 2), busy(9, 1)] });
    feeds.tell('connections', { kind: 'snapshot-end', at: { instance: 2n, revision: 1n }, total: 1000 });
    expect([order.offset, order.total]).toEqual([0, 1000]);
    expect([order.at(1), order.at(2)]).toEqual([9n, undefined]);
    expect([order.placeOf(9n), order.placeOf(1n)]).toEqual([1, undefined]);
  });
});
