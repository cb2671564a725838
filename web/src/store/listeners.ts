// The sockets of this host that wait for connections, as the daemon last found them.
import { CONNECTING, type LinkState } from '../domain/link';
import type { Listener } from '../domain/listener';
import type { Feeds } from '../domain/topic';
import { Notifier } from './notifier';

export class ListenerStore {
  readonly notifier = new Notifier();
  readonly #feeds: Feeds;
  #close: (() => void) | undefined;
  #listeners: readonly Listener[] | undefined;
  #link: LinkState = CONNECTING;

  constructor(feeds: Feeds) {
    this.#feeds = feeds;
  }

  /** Undefined until the daemon has told. */
  get listeners(): readonly Listener[] | undefined {
    return this.#listeners;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** Asks for them, or for nothing. */
  watch(seen: boolean): void {
    if (seen === (this.#close !== undefined)) {
      return;
    }
    this.#close?.();
    this.#close = undefined;
    this.#link = CONNECTING;
    if (seen) {
      this.#close = this.#feeds.open({ kind: 'listeners' }, (message) => {
        if (message.kind === 'link') {
          this.#link = message.link;
        } else if (message.kind === 'listeners') {
          this.#listeners = message.listeners;
        }
        this.notifier.changed();
      });
    }
    this.notifier.changed();
  }
}
