// How the rates and round-trip times of the rows at hand moved over the last half minute, once per second.
import { totalBytesPerSecond } from '../domain/connection';
import type { ConnectionStore } from './connections';
import { Notifier } from './notifier';

const INTERVAL_MS = 1000;
export const TRAIL_LENGTH = 30;

export interface Trail {
  /** Oldest first. */
  readonly bytesPerSecond: readonly number[];
  readonly srttUs: readonly (number | undefined)[];
}

const NONE: Trail = { bytesPerSecond: [], srttUs: [] };

export class TrailStore {
  readonly notifier = new Notifier();
  readonly #source: ConnectionStore;
  #trails = new Map<bigint, Trail>();

  constructor(source: ConnectionStore) {
    this.#source = source;
  }

  start(): () => void {
    const timer = setInterval(() => {
      this.#measure();
    }, INTERVAL_MS);
    return () => {
      clearInterval(timer);
    };
  }

  /** Replaced, never changed. */
  of(id: bigint): Trail {
    return this.#trails.get(id) ?? NONE;
  }

  #measure(): void {
    if (this.#source.topic === undefined || this.#source.link.kind !== 'live') {
      return;
    }
    const trails = new Map<bigint, Trail>();
    for (const connection of this.#source.connections.values()) {
      const { bytesPerSecond, srttUs } = this.of(connection.id);
      trails.set(connection.id, {
        bytesPerSecond: [...bytesPerSecond, totalBytesPerSecond(connection)].slice(-TRAIL_LENGTH),
        srttUs: [...srttUs, connection.rtt?.srttUs].slice(-TRAIL_LENGTH),
      });
    }
    this.#trails = trails;
    this.notifier.changed();
  }
}
