// The selected connection: followed while listed, kept afterwards, never mistaken for another.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connection, half, START_MS } from '../test/fixtures';
import { LiveStore } from './live';
import { SelectionStore } from './selection';

const AT = { instance: 1n, revision: 1n };

describe('SelectionStore', () => {
  let live: LiveStore;
  let selection: SelectionStore;
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS });
    live = new LiveStore();
    selection = new SelectionStore(live);
    stop = selection.start();
    live.snapshotPart(true, [connection(1), connection(2)]);
    live.snapshotEnd(AT);
    live.link({ kind: 'live', sinceMs: START_MS });
  });

  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  it('follows the newest form and keeps the last one when it is removed', () => {
    selection.select({ instance: 1n, id: 1n });
    live.changes(AT, [connection(1, { interface: 'lo' })], []);
    expect(selection.connection?.interface).toBe('lo');
    live.changes(AT, [], [1n]);
    expect(selection.listed).toBe(false);
    expect(selection.connection?.interface).toBe('lo');
  });

  it('finds a connection that is listed only after it was selected', () => {
    selection.select({ instance: 1n, id: 9n });
    expect(selection.connection).toBeUndefined();
    live.changes(AT, [connection(9)], []);
    expect(selection.connection?.id).toBe(9n);
  });

  it('does not take the same id of another run for the selected one', () => {
    selection.select({ instance: 1n, id: 1n });
    live.snapshotPart(true, [connection(1, { interface: 'other' })]);
    live.snapshotEnd({ instance: 2n, revision: 1n });
    expect(selection.listed).toBe(false);
    expect(selection.isSelected(1n)).toBe(false);
    expect(selection.connection?.interface).toBe('eth0');
  });

  it('measures once per second while the link is live', () => {
    selection.select({ instance: 1n, id: 1n });
    live.changes(AT, [connection(1, { sent: half({ payloadBytesPerSecond: 5 }) })], []);
    vi.advanceTimersByTime(2000);
    expect(selection.samples.map((sample) => sample.sentBytesPerSecond)).toEqual([0, 5, 5]);
    live.link({ kind: 'reconnecting', sinceMs: 0, attempt: 0, failure: { kind: 'ended', message: '' } });
    vi.advanceTimersByTime(5000);
    expect(selection.samples).toHaveLength(3);
  });
});
