// Which overlay is open above the page: the command palette, the list of keys, or none.
import { Notifier } from './notifier';

export type Overlay = 'palette' | 'keys';

export class OverlayStore {
  readonly notifier = new Notifier();
  #open: Overlay | undefined;

  get open(): Overlay | undefined {
    return this.#open;
  }

  show(overlay: Overlay | undefined): void {
    this.#open = overlay;
    this.notifier.changedNow();
  }
}
