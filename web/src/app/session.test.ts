// Each view asks for what it shows, and for nothing while nobody looks.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CONNECTIONS, PACKETS } from '../domain/place';
import type { Stores } from '../store/stores';
import { TestFeeds, testStores } from '../test/feeds';
import { connection, stats, status } from '../test/fixtures';
import { startSession, UNHEALTHY, type Visibility } from './session';

class TestPage implements Visibility {
  visibilityState: DocumentVisibilityState = 'visible';
  readonly #events = new EventTarget();
  readonly addEventListener = this.#events.addEventListener.bind(this.#events);
  readonly removeEventListener = this.#events.removeEventListener.bind(this.#events);

  show(state: DocumentVisibilityState): void {
    this.visibilityState = state;
    this.#events.dispatchEvent(new Event('visibilitychange'));
  }
}

describe('session', () => {
  let feeds: TestFeeds;
  let stores: Stores;
  let page: TestPage;
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    feeds = new TestFeeds();
    stores = testStores(feeds);
    page = new TestPage();
    stop = startSession(stores, feeds, page);
    feeds.tell('status', { kind: 'status', status: status({ instance: 5n }) });
    vi.advanceTimersByTime(50);
  });

  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  const filters = (): string[] => feeds.topics('connections').map(({ filter }) => filter);

  it('asks for sums, the status and the worst connections in the overview', () => {
    expect(feeds.topics('stats')).toHaveLength(1);
    expect(feeds.topics('status')).toHaveLength(1);
    expect(feeds.topics('connections')).toEqual([UNHEALTHY]);
    expect(feeds.topics('packets')).toEqual([]);
  });

  it('asks for the rows of the table in its filter and order, and no longer for the worst', () => {
    stores.place.go({
      ...CONNECTIONS,
      filter: 'port 443',
      sort: { column: 'rtt', direction: 'descending' },
    });
    vi.advanceTimersByTime(10);
    expect(feeds.topics('connections')).toMatchObject([
      { filter: '(open or idle < 10s) and (port 443)', orderBy: 'rtt desc', offset: 0, limit: 200 },
    ]);
  });

  it('asks for the part of the table that is on the screen, and from the top with another filter', () => {
    stores.place.go(CONNECTIONS);
    vi.advanceTimersByTime(10);
    stores.viewport.show(5000, 5040);
    vi.advanceTimersByTime(100);
    expect(feeds.topics('connections')).toMatchObject([{ offset: 4900, limit: 200 }]);
    stores.place.replace({ ...CONNECTIONS, filter: 'port 443' });
    vi.advanceTimersByTime(300);
    expect(feeds.topics('connections')).toMatchObject([
      { filter: '(open or idle < 10s) and (port 443)', offset: 0 },
    ]);
  });

  it('asks for exactly the rows at hand while their order is frozen', () => {
    stores.place.go(CONNECTIONS);
    vi.advanceTimersByTime(10);
    feeds.snapshot([7, 9].map((id) => connection(id)));
    stores.order.setFrozen(true);
    expect(feeds.topics('connections')).toMatchObject([{ filter: 'id in {7, 9}', orderBy: '', limit: 0 }]);
    stores.order.setFrozen(false);
    expect(filters()).toEqual(['open or idle < 10s']);
  });

  it('asks once the typing pauses, not for each letter', () => {
    stores.place.go(CONNECTIONS);
    vi.advanceTimersByTime(10);
    for (const filter of ['p', 'po', 'port 44', 'port 443']) {
      stores.place.replace({ ...CONNECTIONS, filter });
      vi.advanceTimersByTime(50);
    }
    expect(filters()).toEqual(['open or idle < 10s']);
    vi.advanceTimersByTime(300);
    expect(filters()).toEqual(['(open or idle < 10s) and (port 443)']);
  });

  it('follows the selected connection and its packets', () => {
    stores.place.go({ ...CONNECTIONS, selected: { instance: 5n, id: 2n } });
    vi.advanceTimersByTime(10);
    expect(feeds.topics('connection')).toEqual([{ kind: 'connection', id: 2n }]);
    expect(feeds.topics('packets')).toMatchObject([{ connectionId: 2n, filter: '' }]);
    stores.place.replace({ ...CONNECTIONS, selected: { instance: 5n, id: 3n } });
    vi.advanceTimersByTime(300);
    expect(feeds.topics('connection')).toEqual([{ kind: 'connection', id: 3n }]);
    expect(feeds.topics('packets')).toMatchObject([{ connectionId: 3n }]);
  });

  it('asks for no packets of a connection from another run of the daemon', () => {
    stores.place.go({ view: 'connection', ref: { instance: 4n, id: 2n } });
    vi.advanceTimersByTime(300);
    expect(feeds.topics('packets')).toEqual([]);
  });

  it('asks for the groups of the view of groups', () => {
    stores.place.go({ view: 'groups', by: 'port' });
    vi.advanceTimersByTime(10);
    expect(feeds.topics('groups')).toEqual([{ kind: 'groups', by: 'port' }]);
    const group = { name: '443', connections: 2, sentBytesPerSecond: 0, receivedBytesPerSecond: 0 };
    const rest = { packetsPerSecond: 0, payloadBytes: 0, retransmissions: 0, rttUs: undefined };
    const list = { by: 'port', groups: [{ ...group, ...rest }], more: 0 } as const;
    feeds.tell('groups', { kind: 'stats', stats: stats({ groups: [list] }) });
    expect(stores.groups.list).toEqual(list);
    stores.place.go(PACKETS);
    vi.advanceTimersByTime(10);
    expect(feeds.topics('groups')).toEqual([]);
  });

  it('asks for packets by their filter', () => {
    stores.place.go({ ...PACKETS, filter: 'syn and not ack' });
    vi.advanceTimersByTime(10);
    expect(feeds.topics('packets')).toMatchObject([{ filter: 'syn and not ack', connectionId: undefined }]);
  });

  it('asks for nothing but the sums while the page is hidden, and for all of it again when it is seen', () => {
    page.show('hidden');
    expect([feeds.topics('connections'), feeds.topics('status')]).toEqual([[], []]);
    expect(feeds.topics('stats')).toHaveLength(1);
    page.show('visible');
    expect(feeds.topics('connections')).toEqual([UNHEALTHY]);
    expect(feeds.topics('status')).toHaveLength(1);
  });

  it('asks again at once with another token', () => {
    stores.token.set('another');
    expect(feeds.retries).toBe(1);
  });

  it('closes everything when the page goes', () => {
    stores.place.go({ ...CONNECTIONS, selected: { instance: 5n, id: 2n } });
    vi.advanceTimersByTime(10);
    stop();
    for (const kind of ['stats', 'status', 'connections', 'packets'] as const) {
      expect(feeds.topics(kind)).toEqual([]);
    }
  });
});
