// The daemon's newest status.
import type { Status } from '../domain/status';
import type { FeedMessage } from '../domain/topic';
import { Notifier } from './notifier';

export class StatusStore {
  readonly notifier = new Notifier();
  #status: Status | undefined;

  get status(): Status | undefined {
    return this.#status;
  }

  /** The time by which ages are told: the capture's where one is played, else the daemon's. */
  ageAtMs(daemonNowMs: number): number {
    return this.#status?.captureTimeMs ?? daemonNowMs;
  }

  take(message: FeedMessage): void {
    if (message.kind === 'status') {
      this.#status = message.status;
      this.notifier.changed();
    }
  }
}
