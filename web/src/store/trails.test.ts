// How the rows at hand moved: a value per second, and none of rows that are gone.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TestFeeds, testStores } from '../test/feeds';
import { connection, half } from '../test/fixtures';
import { startStores, type Stores } from './stores';
import { TRAIL_LENGTH } from './trails';

describe('TrailStore', () => {
  let feeds: TestFeeds;
  let stores: Stores;
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    feeds = new TestFeeds();
    stores = testStores(feeds);
    stop = startStores(stores);
    stores.table.watch({ kind: 'connections', filter: '', orderBy: 'rate desc', offset: 0, limit: 200 });
    feeds.tell('connections', { kind: 'link', link: { kind: 'live', sinceMs: 0 } });
    feeds.snapshot([connection(1, { sent: half({ payloadBytesPerSecond: 5 }) }), connection(2)]);
  });

  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  it('measures each row once per second, for half a minute', () => {
    vi.advanceTimersByTime(3000);
    expect(stores.trails.of(1n).bytesPerSecond).toEqual([5, 5, 5]);
    vi.advanceTimersByTime(60_000);
    expect(stores.trails.of(1n).bytesPerSecond).toHaveLength(TRAIL_LENGTH);
  });

  it('forgets rows that are gone, and measures nothing while the link is down', () => {
    vi.advanceTimersByTime(2000);
    feeds.changes([], [2n], [1]);
    vi.advanceTimersByTime(1000);
    expect(stores.trails.of(2n).bytesPerSecond).toEqual([]);
    feeds.tell('connections', { kind: 'link', link: { kind: 'locked', sinceMs: 0 } });
    vi.advanceTimersByTime(5000);
    expect(stores.trails.of(1n).bytesPerSecond).toHaveLength(3);
  });
});
