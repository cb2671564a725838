// The selected connection: its newest form, kept when it leaves the list, and what was measured
// of it since it was selected, once per second.
import type { Connection, ConnectionRef } from '../domain/connection';
import type { LiveStore } from './live';
import { Notifier } from './notifier';

const SAMPLE_INTERVAL_MS = 1000;
const SAMPLES_KEPT = 180;

export interface Sample {
  readonly atMs: number;
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
  readonly srttUs: number | undefined;
}

export class SelectionStore {
  readonly notifier = new Notifier();
  readonly #live: LiveStore;
  readonly #now: () => number;
  #ref: ConnectionRef | undefined;
  #connection: Connection | undefined;
  #samples: readonly Sample[] = [];

  constructor(live: LiveStore, now: () => number = Date.now) {
    this.#live = live;
    this.#now = now;
  }

  start(): () => void {
    const refresh = (): void => {
      this.#refresh();
    };
    const stopListening = this.#live.listen({ upserted: refresh, removed: refresh, replaced: refresh });
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

  get listed(): boolean {
    return this.#ref !== undefined && this.#live.find(this.#ref) !== undefined;
  }

  /** Whether this id is the selected one, in the run of the daemon that is shown. */
  isSelected(id: bigint): boolean {
    return this.#ref?.id === id && this.#ref.instance === this.#live.instance;
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  select(ref: ConnectionRef | undefined): void {
    if (ref?.id === this.#ref?.id && ref?.instance === this.#ref?.instance) {
      return;
    }
    this.#ref = ref;
    this.#connection = ref === undefined ? undefined : this.#live.find(ref);
    this.#samples = [];
    this.#sample();
    this.notifier.changedNow();
  }

  #refresh(): void {
    const connection = this.#ref === undefined ? undefined : this.#live.find(this.#ref);
    if (connection !== this.#connection) {
      this.#connection = connection ?? this.#connection;
      this.notifier.changed();
    }
  }

  #sample(): void {
    if (this.#connection === undefined || !this.listed || this.#live.linkState.kind !== 'live') {
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
