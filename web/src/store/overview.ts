// What the host did lately, second by second: sums over its open connections, and rates between its
// statuses. Kept for ten minutes; groups are those of the newest sums only.
import { inShort, ratesBetween, type HostRates, type Stats } from '../domain/stats';
import type { Status } from '../domain/status';
import type { FeedMessage } from '../domain/topic';
import { Notifier } from './notifier';

export const KEPT_MS = 600_000;

export class OverviewStore {
  readonly notifier = new Notifier();
  #sums: readonly Stats[] = [];
  #rates: readonly HostRates[] = [];
  #status: Status | undefined;

  /** Oldest first. */
  get sums(): readonly Stats[] {
    return this.#sums;
  }

  /** Oldest first. */
  get rates(): readonly HostRates[] {
    return this.#rates;
  }

  take(message: FeedMessage): void {
    if (message.kind === 'stats') {
      const newest = this.#sums.at(-1);
      const before = newest === undefined ? [] : [...this.#sums.slice(0, -1), inShort(newest)];
      this.#sums = add(before, message.stats);
      this.notifier.changed();
    } else if (message.kind === 'status') {
      const rates = this.#status && ratesBetween(this.#status, message.status);
      this.#status = message.status;
      if (rates !== undefined) {
        this.#rates = add(this.#rates, rates);
        this.notifier.changed();
      }
    }
  }
}

function add<Point extends { readonly atMs: number }>(points: readonly Point[], point: Point): Point[] {
  const newest = points.at(-1)?.atMs ?? 0;
  // A clock that was set back begins a new history.
  const kept =
    point.atMs < newest ? [] : points.filter(({ atMs }) => atMs >= point.atMs - KEPT_MS && atMs < point.atMs);
  return [...kept, point];
}
