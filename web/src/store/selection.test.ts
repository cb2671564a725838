// The connection looked at: followed while listed, kept afterwards, never mistaken for another.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Point } from '../domain/history';
import type { FeedBody } from '../domain/topic';
import { TestFeeds } from '../test/feeds';
import { connection, START_MS } from '../test/fixtures';
import { ConnectionStore } from './connections';
import { SelectionStore } from './selection';

type Detail = Extract<FeedBody, { kind: 'detail' }>;

describe('SelectionStore', () => {
  let feeds: TestFeeds;
  let selection: SelectionStore;

  beforeEach(() => {
    feeds = new TestFeeds();
    const table = new ConnectionStore(feeds);
    selection = new SelectionStore(feeds, table);
    table.watch({ kind: 'connections', filter: '', orderBy: 'rate desc', offset: 0, limit: 200 });
    feeds.snapshot([connection(1), connection(2)]);
    selection.select({ instance: 1n, id: 1n });
    selection.watch(1n);
  });

  const tell = (detail: Partial<Detail>): void => {
    feeds.tell('connection', {
      kind: 'detail',
      first: false,
      connection: undefined,
      points: [],
      packets: [],
      missedPackets: 0,
      gone: false,
      ...detail,
    });
  };
  const point = (atMs: number): Point => {
    const half = {
      payloadBytesPerSecond: 0,
      packetsPerSecond: 0,
      srttUs: undefined,
      socketSrttUs: undefined,
      congestionWindow: undefined,
      slowStartThreshold: undefined,
      deliveryRateBytesPerSecond: undefined,
      inFlightBytes: undefined,
      retransmissions: 0,
    };
    return { atMs, sent: half, received: half };
  };

  it('shows what the table knows at once, and asks for the connection in detail', () => {
    expect(selection.connection?.id).toBe(1n);
    expect(selection.listed).toBeUndefined();
    expect(feeds.topics('connection')).toEqual([{ kind: 'connection', id: 1n }]);
  });

  it('follows the newest form and keeps the last one when it is gone', () => {
    tell({ first: true, connection: connection(1, { interface: 'lo' }) });
    expect(selection.connection?.interface).toBe('lo');
    expect(selection.listed).toBe(true);
    tell({ gone: true });
    expect(selection.listed).toBe(false);
    expect(selection.connection?.interface).toBe('lo');
  });

  it('adds what is new to its past, and begins anew with a stream', () => {
    tell({ first: true, points: [point(START_MS), point(START_MS + 1)] });
    tell({ points: [point(START_MS + 2)] });
    expect(selection.points).toHaveLength(3);
    tell({ first: true, points: [point(START_MS + 3)] });
    expect(selection.points).toHaveLength(1);
  });

  it('does not take the same number of another run for the selected one', () => {
    selection.watch(2n);
    expect(selection.listed).toBe(false);
    expect(feeds.topics('connection')).toEqual([]);
    expect(selection.connection?.interface).toBe('eth0');
  });

  it('does not take another connection for it before a restart is known', () => {
    tell({ first: true, connection: connection(9, { id: 1n, interface: 'other' }) });
    expect(selection.connection?.interface).toBe('eth0');
  });

  it('says that it is not listed where the daemon says so', () => {
    feeds.tell('connection', {
      kind: 'link',
      link: { kind: 'refused', sinceMs: 0, failure: { kind: 'missing', message: '' } },
    });
    expect(selection.listed).toBe(false);
  });

  it('asks for nothing while nobody looks', () => {
    selection.watch(undefined);
    expect(feeds.topics('connection')).toEqual([]);
  });
});
