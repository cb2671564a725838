// A clock that ticks once per second, so that ages on the screen grow without data arriving.
import { Notifier } from './notifier';

const TICK_MS = 1000;

export class ClockStore {
  readonly notifier = new Notifier();
  #nowMs = Date.now();

  start(): () => void {
    const timer = setInterval(() => {
      this.#nowMs = Date.now();
      this.notifier.changed();
    }, TICK_MS);
    return () => {
      clearInterval(timer);
    };
  }

  get nowMs(): number {
    return this.#nowMs;
  }
}
