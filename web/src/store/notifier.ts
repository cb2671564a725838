// Tells React that a mutable store has changed, at most once per frame, however often it changes.
// Components read the store itself; only a version number goes through React.
import { useSyncExternalStore } from 'react';

export class Notifier {
  #version = 0;
  #scheduled = false;
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly version = (): number => this.#version;

  /** Notifies with the next frame. In a hidden tab that is when it is shown again. */
  changed(): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      requestAnimationFrame(() => {
        this.changedNow();
      });
    }
  }

  /** Notifies at once, for what the user just did. */
  changedNow(): void {
    this.#scheduled = false;
    this.#version += 1;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

/** Renders again whenever the store changes; the version is good as a memo key. */
export function useChanges(store: { readonly notifier: Notifier }): number {
  return useSyncExternalStore(store.notifier.subscribe, store.notifier.version);
}
