// The order of the rows: sorted once per second, still while it is held, new rows at once.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Connection } from '../domain/connection';
import { connection, half, START_MS } from '../test/fixtures';
import { LiveStore } from './live';
import { OrderStore } from './order';

const AT = { instance: 1n, revision: 1n };

const busy = (id: number, payloadBytesPerSecond: number, values: Partial<Connection> = {}): Connection =>
  connection(id, { sent: half({ payloadBytesPerSecond }), ...values });

describe('OrderStore', () => {
  let live: LiveStore;
  let order: OrderStore;
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS });
    live = new LiveStore();
    order = new OrderStore(live);
    stop = order.start();
    live.snapshotPart(true, [busy(1, 30), busy(2, 20), busy(3, 10)]);
    live.snapshotEnd(AT);
  });

  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  const rows = (): number[] => order.rows().map(Number);
  const upsert = (...connections: Connection[]): void => {
    live.changes(AT, connections, []);
  };

  it('re-sorts when a second has passed, and not before', () => {
    upsert(busy(3, 99));
    expect(rows()).toEqual([1, 2, 3]);
    vi.advanceTimersByTime(1000);
    expect(rows()).toEqual([3, 1, 2]);
  });

  it('puts a new row in its place at once', () => {
    upsert(busy(4, 25));
    expect(rows()).toEqual([1, 4, 2, 3]);
  });

  it('drops a removed row at once', () => {
    live.changes(AT, [], [2n]);
    expect(rows()).toEqual([1, 3]);
  });

  it('never shows a row that came and went before it was placed', () => {
    upsert(busy(4, 25));
    live.changes(AT, [], [4n]);
    expect(rows()).toEqual([1, 2, 3]);
  });

  it('stands still while it is frozen: new rows at the end, removed ones in place', () => {
    order.setFrozen(true);
    upsert(busy(3, 99), busy(4, 200));
    live.changes(AT, [], [2n]);
    vi.advanceTimersByTime(5000);
    expect(order.heldBy).toBe('freeze');
    expect(rows()).toEqual([1, 2, 3, 4]);
    expect(order.row(2n)?.listed).toBe(false);
    order.setFrozen(false);
    expect(rows()).toEqual([4, 3, 1]);
  });

  it('stands still under the pointer, until it has rested for a while or left', () => {
    order.pointer(true);
    upsert(busy(3, 99));
    vi.advanceTimersByTime(3000);
    expect(order.heldBy).toBe('pointer');
    expect(rows()).toEqual([1, 2, 3]);
    order.pointer(false);
    expect(rows()).toEqual([3, 1, 2]);
    order.pointer(true);
    upsert(busy(2, 200));
    vi.advanceTimersByTime(16_000);
    expect(order.heldBy).toBeUndefined();
    expect(rows()).toEqual([2, 3, 1]);
  });

  it('filters, also what arrives later', () => {
    order.setFilter({ text: 'eth1', showClosed: true });
    expect(rows()).toEqual([]);
    upsert(busy(4, 1, { interface: 'eth1' }), busy(5, 1));
    expect(rows()).toEqual([4]);
  });

  it('lets closed connections go with the next sort when they are not shown', () => {
    order.setFilter({ text: '', showClosed: false });
    upsert(busy(1, 0, { closedAtMs: START_MS }));
    expect(rows()).toEqual([1, 2, 3]);
    vi.advanceTimersByTime(1000);
    expect(rows()).toEqual([2, 3]);
  });

  it('keeps its order through a snapshot of the same run while it is held', () => {
    order.setFrozen(true);
    live.snapshotPart(true, [busy(3, 99), busy(1, 1), busy(9, 1)]);
    live.snapshotEnd(AT);
    expect(rows()).toEqual([1, 2, 3, 9]);
    expect(order.row(2n)?.listed).toBe(false);
  });

  it('starts over with another run of the daemon', () => {
    order.setFrozen(true);
    live.snapshotPart(true, [busy(5, 1)]);
    live.snapshotEnd({ instance: 2n, revision: 1n });
    expect(rows()).toEqual([5]);
  });

  it('takes up many new rows at once', () => {
    upsert(...Array.from({ length: 500 }, (_, index) => busy(index + 10, index)));
    expect(rows()).toHaveLength(503);
    expect(rows()[0]).toBe(509);
  });
});
