// The connection that is looked at: its newest form, kept when it leaves the list, and what was measured
// of it since it was opened, once per second.
import type { Connection, ConnectionRef } from '../domain/connection';
import type { Feeds } from '../domain/topic';
import { ConnectionStore } from './connections';
import { Notifier } from './notifier';

const SAMPLE_INTERVAL_MS = 1000;
const SAMPLES_KEPT = 600;

export interface Sample {
  readonly atMs: number;
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
  readonly srttUs: number | undefined;
}

export class SelectionStore {
  readonly notifier = new Notifier();
  readonly #held: ConnectionStore;
  readonly #table: ConnectionStore;
  readonly #now: () => number;
  #ref: ConnectionRef | undefined;
  #connection: Connection | undefined;
  #samples: readonly Sample[] = [];

  /** Until its own data is there, the connection is shown as the table has it. */
  constructor(feeds: Feeds, table: ConnectionStore, now: () => number = Date.now) {
    this.#held = new ConnectionStore(feeds);
    this.#table = table;
    this.#now = now;
  }

  start(): () => void {
    const refresh = (): void => {
      this.#refresh();
    };
    const stopListening = this.#held.listen({ upserted: refresh, removed: refresh, replaced: refresh });
    const timer = setInterval(() => {
      this.#sample();
    }, SAMPLE_INTERVAL_MS);
    return () => {
      stopListening();
      clearInterval(timer);
    };
  }

  get ref(): ConnectionRef | undefined {
    return this.#ref;
  }

  /** The newest form that is known, even when the connection is no longer listed. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Whether the daemon lists it; undefined until it has said so. */
  get listed(): boolean | undefined {
    return this.#ref === undefined || !this.#held.settled
      ? undefined
      : this.#held.find(this.#ref) !== undefined;
  }

  /** Whether this id is the selected one, in the run of the daemon that the table shows. */
  isSelected(id: bigint): boolean {
    return this.#ref?.id === id && this.#ref.instance === this.#table.instance;
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  select(ref: ConnectionRef | undefined): void {
    if (ref?.id !== this.#ref?.id || ref?.instance !== this.#ref?.instance) {
      this.#ref = ref;
      this.#connection = ref === undefined ? undefined : this.#table.find(ref);
      this.#samples = [];
      this.#held.clear();
      this.notifier.changedNow();
    }
  }

  /** Asks for the newest form of the selected connection, or for nothing while nobody looks. */
  watch(seen: boolean): void {
    this.#held.watch(
      this.#ref !== undefined && seen
        ? { kind: 'connections', filter: `id == ${this.#ref.id}`, orderBy: '', offset: 0, limit: 0 }
        : undefined,
    );
  }

  #refresh(): void {
    const connection = this.#ref === undefined ? undefined : this.#held.find(this.#ref);
    this.#connection = connection ?? this.#connection;
    if (this.#samples.length === 0) {
      this.#sample();
    }
    this.notifier.changed();
  }

  #sample(): void {
    if (this.#connection === undefined || this.listed !== true || this.#held.link.kind !== 'live') {
      return;
    }
    const { sent, received, rtt } = this.#connection;
    const sample: Sample = {
      atMs: this.#now(),
      sentBytesPerSecond: sent.payloadBytesPerSecond,
      receivedBytesPerSecond: received.payloadBytesPerSecond,
      srttUs: rtt?.srttUs,
    };
    this.#samples = [...this.#samples, sample].slice(-SAMPLES_KEPT);
    this.notifier.changed();
  }
}
