// The order of the table's rows, as the daemon has it. It settles at most once per second, and not at all
// while the user points at a row or has frozen the table: rows never jump in between. On a quiet host what is
// new shows at once.
import type { Connection } from '../domain/connection';
import type { ConnectionStore } from './connections';
import { Notifier } from './notifier';

const SETTLE_MS = 1000;
/** A pointer that has rested on the table for this long no longer holds the order. */
const POINTER_HOLD_MS = 15_000;

export class OrderStore {
  readonly notifier = new Notifier();
  readonly #source: ConnectionStore;
  readonly #now: () => number;
  #ids: readonly bigint[] = [];
  #offset = 0;
  #total = 0;
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

  /** The rows at hand, from top to bottom. */
  get rows(): readonly bigint[] {
    return this.#ids;
  }

  /** How many rows stand before those at hand. */
  get offset(): number {
    return this.#offset;
  }

  /** How many rows there are in all. */
  get total(): number {
    return this.#total;
  }

  /** The row at a place of the whole table, if it is at hand. */
  at(place: number): bigint | undefined {
    return this.#ids[place - this.#offset];
  }

  /** The place of a row in the whole table, if it is at hand. */
  placeOf(id: bigint | undefined): number | undefined {
    const index = id === undefined ? -1 : this.#ids.indexOf(id);
    return index < 0 ? undefined : this.#offset + index;
  }

  /** `listed` is false for a row that only stays because the order is held. */
  row(id: bigint): { connection: Connection; listed: boolean } | undefined {
    const listed = this.#source.connections.get(id);
    const connection = listed ?? this.#departed.get(id);
    return connection === undefined
      ? undefined
      : { connection, listed: listed !== undefined || this.heldBy === undefined };
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
    if (this.#outdated && !held) {
      this.#settle();
      this.notifier.changed();
    }
    if (held !== this.#held) {
      this.#held = held;
      this.notifier.changed();
    }
  }

  #changed(): void {
    this.#outdated = true;
    if (this.heldBy === undefined && this.#now() - this.#settledAtMs >= SETTLE_MS) {
      this.#settle();
    }
    this.notifier.changed();
  }

  #keep(connections: readonly Connection[]): void {
    for (const connection of connections) {
      if (this.#shown.has(connection.id)) {
        this.#departed.set(connection.id, connection);
      }
    }
  }

  /** Another part of the table or another order is shown at once; a reconnect is not a reason to move. */
  #replaced(previous: ReadonlyMap<bigint, Connection>, continues: boolean): void {
    if (this.#frozen || (continues && this.heldBy !== undefined)) {
      this.#keep([...previous.values()].filter(({ id }) => !this.#source.connections.has(id)));
      this.#outdated = true;
    } else {
      this.#settle();
    }
    this.notifier.changed();
  }

  #settle(): void {
    this.#ids = this.#source.order;
    this.#offset = this.#source.offset;
    this.#total = this.#source.total;
    this.#shown = new Set(this.#ids);
    this.#departed.clear();
    this.#outdated = false;
    this.#settledAtMs = this.#now();
  }
}
