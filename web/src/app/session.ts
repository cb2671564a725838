// Turns what is on the screen into what the daemon is asked for: each view its topics, and none of them but
// the sums while the page is hidden.
import { filterOfFailure, type FailureKind } from '../domain/failure';
import { filterOf } from '../domain/filter';
import { selectedIn, type ConnectionsPlace, type Place } from '../domain/place';
import { orderByOf } from '../domain/sort';
import type { ConnectionsTopic, Feeds, PacketsTopic } from '../domain/topic';
import { UNHEALTHY_FILTER } from '../domain/verdict';
import { startStores, type Stores } from '../store/stores';
import { WINDOW_ROWS } from '../store/viewport';

/** Typing a filter, or moving quickly through the rows, must not ask for each step. */
const SETTLE_MS = 200;
/** Scrolling waits less than typing. */
const SCROLL_SETTLE_MS = 60;
/** A filter has at most 4,096 bytes. */
const LONGEST_FILTER = 4000;
const PACKETS_OF_ALL = 1000;
const PACKETS_OF_ONE = 1000;

/** Connections with whom something is wrong, the worst first. */
export const UNHEALTHY: ConnectionsTopic = {
  kind: 'connections',
  filter: `open and ${UNHEALTHY_FILTER}`,
  orderBy: 'verdict.severity desc',
  offset: 0,
  limit: 8,
};

const FAILURES_SHOWN = 200;

/** The connections that failed, those whose last packet is the newest first. */
export function failuresTopic(kind: FailureKind): ConnectionsTopic {
  return {
    kind: 'connections',
    filter: filterOfFailure(kind),
    orderBy: 'idle',
    offset: 0,
    limit: FAILURES_SHOWN,
  };
}

/** Whether anybody looks, and how to hear that it changed; `document` in the browser. */
export type Visibility = Pick<Document, 'visibilityState' | 'addEventListener' | 'removeEventListener'>;

/** Runs until the returned function is called. */
export function startSession(stores: Stores, feeds: Feeds, page: Visibility): () => void {
  const stopStores = startStores(stores);
  let closeStatus: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const closeStats = feeds.open({ kind: 'stats' }, (message) => {
    stores.link.take(message);
    stores.overview.take(message);
  });
  const follow = (): void => {
    const seen = page.visibilityState !== 'hidden';
    if (seen) {
      closeStatus ??= feeds.open({ kind: 'status' }, (message) => {
        stores.status.take(message);
        stores.overview.take(message);
      });
    } else {
      closeStatus?.();
      closeStatus = undefined;
    }
    ask(stores, seen);
  };
  const followNow = (): void => {
    clearTimeout(timer);
    follow();
  };
  let view = stores.place.current.view;
  let question = questionOf(stores.place.current);
  const moved = (): void => {
    // The place itself is known at once; only asking waits.
    const { current } = stores.place;
    if (questionOf(current) !== question) {
      question = questionOf(current);
      stores.viewport.reset();
      stores.order.setFrozen(false);
    }
    stores.selection.select(selectedIn(current));
    clearTimeout(timer);
    timer = setTimeout(follow, current.view === view ? SETTLE_MS : 0);
    view = current.view;
  };
  let run = stores.status.status?.instance;
  const heardStatus = (): void => {
    if (stores.status.status?.instance !== run) {
      run = stores.status.status?.instance;
      followNow();
    }
  };
  const scrolled = (): void => {
    clearTimeout(timer);
    timer = setTimeout(follow, SCROLL_SETTLE_MS);
  };
  let { frozen } = stores.order;
  const ordered = (): void => {
    if (stores.order.frozen !== frozen) {
      ({ frozen } = stores.order);
      follow();
    }
  };
  const retry = (): void => {
    feeds.retryNow();
  };
  const stops = [
    stores.place.notifier.subscribe(moved),
    stores.status.notifier.subscribe(heardStatus),
    stores.viewport.notifier.subscribe(scrolled),
    stores.order.notifier.subscribe(ordered),
    stores.token.notifier.subscribe(retry),
    (): void => {
      page.removeEventListener('visibilitychange', followNow);
    },
  ];
  page.addEventListener('visibilitychange', followNow);
  moved();
  followNow();
  return () => {
    clearTimeout(timer);
    for (const stop of stops) {
      stop();
    }
    closeStats();
    closeStatus?.();
    ask(stores, false);
    stopStores();
  };
}

function ask(stores: Stores, seen: boolean): void {
  const { current } = stores.place;
  stores.unhealthy.watch(seen && current.view === 'overview' ? UNHEALTHY : undefined);
  stores.table.watch(seen && current.view === 'connections' ? tableTopic(stores, current) : undefined);
  stores.selection.watch(seen ? stores.status.status?.instance : undefined);
  stores.groups.watch(seen && current.view === 'groups' ? current.by : undefined);
  stores.failures.watch(seen && current.view === 'failures' ? failuresTopic(current.kind) : undefined);
  stores.listeners.watch(seen && current.view === 'listeners');
  stores.packets.watch(seen ? packetsTopic(current, stores.status.status?.instance) : undefined);
}

/** What the rows of the table depend on. */
function questionOf(place: Place): string {
  return place.view === 'connections'
    ? JSON.stringify([filterOf(place.filter, place.showClosed), orderByOf(place.sort)])
    : '';
}

/** The part of the table that is on the screen; while the order is frozen, exactly the rows at hand. */
function tableTopic({ order, viewport }: Stores, place: ConnectionsPlace): ConnectionsTopic {
  if (order.frozen && order.rows.length > 0) {
    let ids = '';
    for (const id of order.rows) {
      const longer = ids === '' ? String(id) : `${ids}, ${id}`;
      ids = longer.length <= LONGEST_FILTER ? longer : ids;
    }
    return { kind: 'connections', filter: `id in {${ids}}`, orderBy: '', offset: 0, limit: 0 };
  }
  return {
    kind: 'connections',
    filter: filterOf(place.filter, place.showClosed),
    orderBy: orderByOf(place.sort),
    offset: viewport.offset,
    limit: WINDOW_ROWS,
  };
}

/** Ids are those of one run of the daemon, so packets of a connection of another run are not asked for. */
function packetsTopic(place: Place, run: bigint | undefined): PacketsTopic | undefined {
  if (place.view === 'packets') {
    return { kind: 'packets', filter: place.filter.trim(), connectionId: undefined, last: PACKETS_OF_ALL };
  }
  const ref = selectedIn(place);
  return ref === undefined || ref.instance !== run
    ? undefined
    : { kind: 'packets', filter: '', connectionId: ref.id, last: PACKETS_OF_ONE };
}
