// Which rows of a long table are on the screen, and which part of the table is asked for because of that:
// more than is seen, in steps, so that a little scrolling asks for nothing new.
import { Notifier } from './notifier';

/** Rows that are held at a time. The screen shows a small part of them. */
export const WINDOW_ROWS = 200;
const STEP_ROWS = 50;

export class ViewportStore {
  readonly notifier = new Notifier();
  #offset = 0;

  /** How many rows stand before the part that is asked for. */
  get offset(): number {
    return this.#offset;
  }

  /** The rows from `first` to `last` are on the screen. */
  show(first: number, last: number): void {
    const middle = (first + last) / 2;
    const offset = Math.max(0, Math.round((middle - WINDOW_ROWS / 2) / STEP_ROWS) * STEP_ROWS);
    const missing = first < this.#offset || last >= this.#offset + WINDOW_ROWS;
    // The part at hand is kept until the screen comes near its edge.
    if (offset !== this.#offset && (missing || Math.abs(offset - this.#offset) >= WINDOW_ROWS / 4)) {
      this.#offset = offset;
      this.notifier.changedNow();
    }
  }

  /** Another filter or order: from the top. */
  reset(): void {
    this.#offset = 0;
  }
}
