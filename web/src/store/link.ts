// The link to the daemon as the page as a whole has it: its state, when anything last arrived, how late
// it was, and the daemon's clock. Told by the sums, which come once per second.
import { CONNECTING, type LinkState } from '../domain/link';
import type { FeedMessage } from '../domain/topic';
import { Notifier } from './notifier';

/** Data older than this is called stale. */
export const STALE_MS = 2000;

export class LinkStore {
  readonly notifier = new Notifier();
  #state: LinkState = CONNECTING;
  #lastDataMs: number | undefined;
  #clockOffsetMs = 0;
  #measureClock = true;
  #delayMs = 0;

  get state(): LinkState {
    return this.#state;
  }

  /** When anything last arrived, by this browser's clock. */
  get lastDataMs(): number | undefined {
    return this.#lastDataMs;
  }

  /** How old the newest data is beyond what a running stream explains; undefined while it is fresh. */
  staleMs(nowMs: number): number | undefined {
    if (this.#lastDataMs === undefined) {
      return undefined;
    }
    const oldMs = nowMs - this.#lastDataMs + this.#delayMs;
    return oldMs > STALE_MS ? oldMs : undefined;
  }

  /** The daemon's clock; it stands still while the link is down, so that ages do not run on. */
  daemonNowMs(nowMs: number): number {
    const atMs = this.#state.kind === 'live' ? nowMs : (this.#lastDataMs ?? nowMs);
    return atMs + this.#clockOffsetMs;
  }

  /** How far this browser's clock is ahead of the daemon's; negative where it is behind. */
  get aheadMs(): number {
    return -this.#clockOffsetMs;
  }

  take(message: FeedMessage): void {
    if (message.kind === 'link') {
      this.#setState(message.link);
    } else {
      this.#heard(message.atMs, message.sentAtMs);
    }
    this.notifier.changed();
  }

  #heard(atMs: number, sentAtMs: number | undefined): void {
    this.#lastDataMs = atMs;
    if (sentAtMs !== undefined) {
      const offsetMs = sentAtMs - atMs;
      this.#clockOffsetMs = this.#measureClock ? offsetMs : Math.max(this.#clockOffsetMs, offsetMs);
      this.#measureClock = false;
      this.#delayMs = atMs + this.#clockOffsetMs - sentAtMs;
    }
  }

  #setState(state: LinkState): void {
    if (state.kind === 'reconnecting' || state.kind === 'locked') {
      this.#delayMs = 0;
      this.#measureClock = true;
    }
    this.#state = state;
  }
}
