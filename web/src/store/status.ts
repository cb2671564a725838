// The daemon's newest status, and the host's traffic of the last two minutes.
import type { Status } from '../domain/status';
import { Notifier } from './notifier';

const HISTORY_KEPT = 120;

export class StatusStore {
  readonly notifier = new Notifier();
  #status: Status | undefined;
  #payloadBytesPerSecond: readonly number[] = [];

  get status(): Status | undefined {
    return this.#status;
  }

  /** The time by which ages are told: the capture's where one is played, else the daemon's. */
  ageAtMs(daemonNowMs: number): number {
    return this.#status?.captureTimeMs ?? daemonNowMs;
  }

  /** One value per status, oldest first. */
  get payloadBytesPerSecond(): readonly number[] {
    return this.#payloadBytesPerSecond;
  }

  readonly update = (status: Status): void => {
    this.#status = status;
    this.#payloadBytesPerSecond = [...this.#payloadBytesPerSecond, status.rates.payloadBytesPerSecond].slice(
      -HISTORY_KEPT,
    );
    this.notifier.changed();
  };
}
