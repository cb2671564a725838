// Notices that a stream has fallen silent: the daemon sends a sign of life every few seconds even
// on a quiet host, so this long without a message is a break.

export const SILENCE_LIMIT_MS = 15_000;

/** Fires once when it was not restarted for the silence limit. */
export class SilenceTimer {
  readonly #onSilence: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onSilence: () => void) {
    this.#onSilence = onSilence;
    this.restart();
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onSilence, SILENCE_LIMIT_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
