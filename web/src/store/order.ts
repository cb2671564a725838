// The order of the table's rows: sorted at most once per second, and not at all while the user
// points at a row or has frozen the table. New rows show at once; rows never jump in between.
import type { Connection } from '../domain/connection';
import { compileFilter, NO_FILTER, type Filter } from '../domain/filter';
import { compareBy, DEFAULT_SORT, sortConnections, type Sort } from '../domain/sort';
import type { LiveStore } from './live';
import { Notifier } from './notifier';

const SORT_INTERVAL_MS = 1000;
/** A pointer that has rested on the table for this long no longer holds the order. */
const POINTER_HOLD_MS = 15_000;
/** From this many new rows on, sorting everything is cheaper than finding a place for each. */
const MANY_NEW_ROWS = 64;

export class OrderStore {
  readonly notifier = new Notifier();
  readonly #live: LiveStore;
  readonly #now: () => number;
  #sort: Sort = DEFAULT_SORT;
  #filter: Filter = NO_FILTER;
  #matches = compileFilter(NO_FILTER);
  #ids: bigint[] = [];
  #shown = new Set<bigint>();
  #added: Connection[] = [];
  /** Rows that left the list while the order was held: they keep their place until it moves on. */
  #departed = new Map<bigint, Connection>();
  #frozen = false;
  #pointerAtMs: number | undefined;
  #held = false;
  #outdated = false;

  constructor(live: LiveStore, now: () => number = Date.now) {
    this.#live = live;
    this.#now = now;
  }

  /** Follows the live table until the returned function is called. */
  start(): () => void {
    const stopListening = this.#live.listen({
      upserted: (connections) => {
        this.#upserted(connections);
      },
      removed: (connections) => {
        this.#removed(connections);
      },
      replaced: (previous, sameInstance) => {
        this.#replaced(previous, sameInstance);
      },
    });
    const timer = setInterval(() => {
      this.#tick();
    }, SORT_INTERVAL_MS);
    return () => {
      stopListening();
      clearInterval(timer);
    };
  }

  get sort(): Sort {
    return this.#sort;
  }

  get filter(): Filter {
    return this.#filter;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Why rows stand still, or undefined while they are sorted every second. */
  get heldBy(): 'freeze' | 'pointer' | undefined {
    if (this.#frozen) {
      return 'freeze';
    }
    return this.#pointerHolds() ? 'pointer' : undefined;
  }

  /** The rows from top to bottom. Call it once per rendering: it takes up what is new. */
  rows(): readonly bigint[] {
    this.#placeAdded();
    return this.#ids;
  }

  row(id: bigint): { connection: Connection; listed: boolean } | undefined {
    const listed = this.#live.connections.get(id);
    const connection = listed ?? this.#departed.get(id);
    return connection === undefined ? undefined : { connection, listed: listed !== undefined };
  }

  setSort(sort: Sort): void {
    this.#sort = sort;
    this.#sortAll();
    this.notifier.changedNow();
  }

  setFilter(filter: Filter): void {
    this.#filter = filter;
    this.#matches = compileFilter(filter);
    this.#sortAll();
    this.notifier.changedNow();
  }

  setFrozen(frozen: boolean): void {
    this.#frozen = frozen;
    this.#tick();
    this.notifier.changedNow();
  }

  /** The pointer moved over the rows, or left them. */
  pointer(over: boolean): void {
    this.#pointerAtMs = over ? this.#now() : undefined;
    if (this.#held !== (this.heldBy !== undefined)) {
      this.#tick();
      this.notifier.changedNow();
    }
  }

  #pointerHolds(): boolean {
    return this.#pointerAtMs !== undefined && this.#now() - this.#pointerAtMs < POINTER_HOLD_MS;
  }

  #tick(): void {
    const held = this.heldBy !== undefined;
    if (!held && this.#outdated) {
      this.#sortAll();
      this.notifier.changed();
    }
    if (held !== this.#held) {
      this.#held = held;
      this.notifier.changed();
    }
  }

  #upserted(connections: readonly Connection[]): void {
    this.#outdated = true;
    for (const connection of connections) {
      if (!this.#shown.has(connection.id) && this.#matches(connection)) {
        this.#shown.add(connection.id);
        this.#added.push(connection);
      }
    }
    if (this.#added.length > 0) {
      this.notifier.changed();
    }
  }

  #removed(connections: readonly Connection[]): void {
    this.#outdated = true;
    const held = this.heldBy !== undefined;
    let dropped = false;
    for (const connection of connections) {
      if (!this.#shown.has(connection.id)) {
        continue;
      }
      if (held) {
        this.#departed.set(connection.id, connection);
      } else {
        this.#shown.delete(connection.id);
        dropped = true;
      }
    }
    if (dropped) {
      this.#placeAdded();
      this.#ids = this.#ids.filter((id) => this.#shown.has(id));
    }
    this.notifier.changed();
  }

  #replaced(previous: ReadonlyMap<bigint, Connection>, sameInstance: boolean): void {
    if (!sameInstance || this.heldBy === undefined) {
      this.#sortAll();
    } else {
      for (const id of this.#ids) {
        const gone = this.#live.connections.has(id) ? undefined : previous.get(id);
        if (gone !== undefined) {
          this.#departed.set(id, gone);
        }
      }
      this.#upserted([...this.#live.connections.values()]);
    }
    this.notifier.changed();
  }

  #sortAll(): void {
    const matching = [...this.#live.connections.values()].filter(this.#matches);
    this.#ids = sortConnections(matching, this.#sort).map(({ id }) => id);
    this.#shown = new Set(this.#ids);
    this.#added = [];
    this.#departed.clear();
    this.#outdated = false;
  }

  /** New rows go where they belong, or to the end while the order is held. */
  #placeAdded(): void {
    const added = this.#added.filter(({ id }) => this.#live.connections.has(id));
    if (this.#added.length === 0) {
      return;
    }
    this.#added = [];
    if (this.heldBy !== undefined) {
      this.#ids = [...this.#ids, ...added.map(({ id }) => id)];
    } else if (added.length > MANY_NEW_ROWS) {
      this.#sortAll();
    } else {
      this.#ids = [...this.#ids];
      for (const connection of added) {
        this.#ids.splice(this.#placeOf(connection), 0, connection.id);
      }
    }
  }

  #placeOf(connection: Connection): number {
    const compare = compareBy(this.#sort);
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = this.row(this.#ids[middle] ?? connection.id)?.connection ?? connection;
      if (compare(there, connection) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
