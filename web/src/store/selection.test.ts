// The connection looked at: followed while listed, kept afterwards, never mistaken for another.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TestFeeds } from '../test/feeds';
import { connection, half, START_MS } from '../test/fixtures';
import { ConnectionStore } from './connections';
import { SelectionStore } from './selection';

describe('SelectionStore', () => {
  let feeds: TestFeeds;
  let selection: SelectionStore;
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS });
    feeds = new TestFeeds();
    const table = new ConnectionStore(feeds);
    selection = new SelectionStore(feeds, table);
    stop = selection.start();
    table.watch({ kind: 'connections', filter: '', orderBy: 'rate desc', offset: 0, limit: 500 });
    feeds.snapshot([connection(1), connection(2)]);
    selection.select({ instance: 1n, id: 1n });
    selection.watch(true);
  });

  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  const live = (): void => {
    feeds.tell('connections', { kind: 'link', link: { kind: 'live', sinceMs: START_MS } });
  };

  it('shows what the table knows at once, and asks for the connection alone', () => {
    expect(selection.connection?.id).toBe(1n);
    expect(selection.listed).toBeUndefined();
    expect(feeds.topics('connections').map(({ filter }) => filter)).toEqual(['', 'id == 1']);
  });

  it('follows the newest form and keeps the last one when it is removed', () => {
    feeds.snapshot([connection(1, { interface: 'lo' })]);
    expect(selection.connection?.interface).toBe('lo');
    expect(selection.listed).toBe(true);
    feeds.changes([], [1n]);
    expect(selection.listed).toBe(false);
    expect(selection.connection?.interface).toBe('lo');
  });

  it('does not take the same id of another run for the selected one', () => {
    feeds.snapshot([connection(1, { interface: 'other' })], 2n);
    expect(selection.listed).toBe(false);
    expect(selection.isSelected(1n)).toBe(false);
    expect(selection.connection?.interface).toBe('eth0');
  });

  it('measures once per second while the link is live', () => {
    live();
    feeds.snapshot([connection(1)]);
    feeds.changes([connection(1, { sent: half({ payloadBytesPerSecond: 5 }) })]);
    vi.advanceTimersByTime(2000);
    expect(selection.samples.map((sample) => sample.sentBytesPerSecond)).toEqual([0, 5, 5]);
    feeds.tell('connections', {
      kind: 'link',
      link: { kind: 'reconnecting', sinceMs: 0, attempt: 0, failure: { kind: 'ended', message: '' } },
    });
    vi.advanceTimersByTime(5000);
    expect(selection.samples).toHaveLength(3);
  });

  it('asks for nothing while nobody looks', () => {
    selection.watch(false);
    expect(feeds.topics('connections').map(({ filter }) => filter)).toEqual(['']);
  });
});
