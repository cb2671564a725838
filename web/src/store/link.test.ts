// The link as the page has it: the daemon's clock, and from when on data is stale.
import { describe, expect, it } from 'vitest';
import type { FeedMessage } from '../domain/topic';
import { START_MS, status } from '../test/fixtures';
import { LinkStore } from './link';

const heard = (atMs: number, sentAtMs: number): FeedMessage => ({
  kind: 'status',
  status: status(),
  atMs,
  sentAtMs,
});
const live: FeedMessage = {
  kind: 'link',
  link: { kind: 'live', sinceMs: START_MS },
  atMs: START_MS,
  sentAtMs: undefined,
};
const broken: FeedMessage = {
  ...live,
  link: { kind: 'reconnecting', sinceMs: 0, attempt: 0, failure: { kind: 'ended', message: '' } },
};

describe('LinkStore', () => {
  it('follows the clock of the daemon and stops it while the link is down', () => {
    const store = new LinkStore();
    store.take(live);
    store.take(heard(START_MS, START_MS + 60_000));
    store.take(heard(START_MS + 1000, START_MS + 60_900));
    expect(store.daemonNowMs(START_MS + 2000)).toBe(START_MS + 62_000);
    expect(store.aheadMs).toBe(-60_000);
    store.take(broken);
    expect(store.daemonNowMs(START_MS + 99_000)).toBe(START_MS + 61_000);
  });

  it('calls data stale once it is older than two seconds, silent or late, whatever the clocks say', () => {
    const store = new LinkStore();
    expect(store.staleMs(START_MS)).toBeUndefined();
    store.take(live);
    store.take(heard(START_MS, START_MS - 3_600_000));
    expect(store.staleMs(START_MS + 2000)).toBeUndefined();
    expect(store.staleMs(START_MS + 2001)).toBe(2001);
    store.take(heard(START_MS + 4000, START_MS - 3_600_000 + 1000));
    expect(store.staleMs(START_MS + 4000)).toBe(3000);
  });
});
