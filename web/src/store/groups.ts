// The open connections grouped by one thing, the busiest groups first.
import { CONNECTING, type LinkState } from '../domain/link';
import type { GroupKind, GroupList } from '../domain/stats';
import type { Feeds } from '../domain/topic';
import { Notifier } from './notifier';

export class GroupStore {
  readonly notifier = new Notifier();
  readonly #feeds: Feeds;
  #by: GroupKind | undefined;
  #close: (() => void) | undefined;
  #list: GroupList | undefined;
  #link: LinkState = CONNECTING;

  constructor(feeds: Feeds) {
    this.#feeds = feeds;
  }

  /** Undefined until the daemon has told. */
  get list(): GroupList | undefined {
    return this.#list;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** Groups by another thing, or asks for nothing. */
  watch(by: GroupKind | undefined): void {
    if (by === this.#by) {
      return;
    }
    this.#close?.();
    this.#close = undefined;
    this.#by = by;
    this.#link = CONNECTING;
    if (by !== undefined) {
      this.#list = this.#list?.by === by ? this.#list : undefined;
      this.#close = this.#feeds.open({ kind: 'groups', by }, (message) => {
        if (message.kind === 'link') {
          this.#link = message.link;
        } else if (message.kind === 'stats') {
          this.#list = message.stats.groups.find((list) => list.by === by);
        }
        this.notifier.changed();
      });
    }
    this.notifier.changed();
  }
}
