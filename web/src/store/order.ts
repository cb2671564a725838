// The order of the table's rows. It settles at most once per second, and not at all while the user points
// at a row or has frozen the table: rows never jump in between. On a quiet host what is new shows at once.
import type { Connection } from '../domain/connection';
import { DEFAULT_SORT, sortConnections, type Sort } from '../domain/sort';
import type { ConnectionStore } from './connections';
import { Notifier } from './notifier';

const SETTLE_MS = 1000;
/** A pointer that has rested on the table for this long no longer holds the order. */
const POINTER_HOLD_MS = 15_000;

export class OrderStore {
  readonly notifier = new Notifier();
  readonly #source: ConnectionStore;
  readonly #now: () => number;
  #sort: Sort = DEFAULT_SORT;
  #ids: readonly bigint[] = [];
  #shown = new Set<bigint>();
  /** Rows that are no longer held: they keep their place until the order settles. */
  #departed = new Map<bigint, Connection>();
  #frozen = false;
  #pointerAtMs: number | undefined;
  #held = false;
  #outdated = false;
  #settledAtMs = 0;

  constructor(source: ConnectionStore, now: () => number = Date.now) {
    this.#source = source;
    this.#now = now;
  }

  /** Follows the connections until the returned function is called. */
  start(): () => void {
    const stopListening = this.#source.listen({
      upserted: () => {
        this.#changed();
      },
      removed: (connections) => {
        this.#keep(connections);
        this.#changed();
      },
      replaced: (previous, continues) => {
        this.#replaced(previous, continues);
      },
    });
    const timer = setInterval(() => {
      this.#tick();
    }, SETTLE_MS);
    return () => {
      stopListening();
      clearInterval(timer);
    };
  }

  get sort(): Sort {
    return this.#sort;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Why rows stand still, or undefined while the order settles every second. */
  get heldBy(): 'freeze' | 'pointer' | undefined {
    if (this.#frozen) {
      return 'freeze';
    }
    return this.#pointerHolds() ? 'pointer' : undefined;
  }

  /** The rows from top to bottom. */
  get rows(): readonly bigint[] {
    return this.#ids;
  }

  /** `listed` is false for a row that only stays because the order is held. */
  row(id: bigint): { connection: Connection; listed: boolean } | undefined {
    const listed = this.#source.connections.get(id);
    const connection = listed ?? this.#departed.get(id);
    return connection === undefined
      ? undefined
      : { connection, listed: listed !== undefined || this.heldBy === undefined };
  }

  setSort(sort: Sort): void {
    if (sort.column !== this.#sort.column || sort.direction !== this.#sort.direction) {
      this.#sort = sort;
      this.#settle();
      this.notifier.changedNow();
    }
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
    if (this.#outdated) {
      this.#takeUp();
    }
    if (held !== this.#held) {
      this.#held = held;
      this.notifier.changed();
    }
  }

  #changed(): void {
    this.#outdated = true;
    if (this.#now() - this.#settledAtMs >= SETTLE_MS) {
      this.#takeUp();
    }
  }

  #keep(connections: readonly Connection[]): void {
    for (const connection of connections) {
      if (this.#shown.has(connection.id)) {
        this.#departed.set(connection.id, connection);
      }
    }
  }

  #replaced(previous: ReadonlyMap<bigint, Connection>, continues: boolean): void {
    if (!continues || this.heldBy === undefined) {
      this.#settle();
    } else {
      this.#keep([...previous.values()].filter(({ id }) => !this.#source.connections.has(id)));
      this.#append();
    }
    this.notifier.changed();
  }

  #takeUp(): void {
    if (this.heldBy === undefined) {
      this.#settle();
    } else {
      this.#append();
    }
    this.notifier.changed();
  }

  #settle(): void {
    this.#ids = sortConnections([...this.#source.connections.values()], this.#sort).map(({ id }) => id);
    this.#shown = new Set(this.#ids);
    this.#departed.clear();
    this.#outdated = false;
    this.#settledAtMs = this.#now();
  }

  /** What is new goes to the end while the order is held. */
  #append(): void {
    const added = [...this.#source.connections.keys()].filter((id) => !this.#shown.has(id));
    if (added.length > 0) {
      this.#ids = [...this.#ids, ...added];
      this.#shown = new Set(this.#ids);
    }
    this.#settledAtMs = this.#now();
  }
}
