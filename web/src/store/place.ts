// Where the user is. The URL follows, and where the user goes back or forward, so does the place.
// Each view is found again as it was left.
import {
  CONNECTIONS,
  FAILED,
  formatPlace,
  GROUPS,
  OVERVIEW,
  PACKETS,
  parsePlace,
  type ConnectionsPlace,
  type FailuresPlace,
  type GroupsPlace,
  type PacketsPlace,
  type Place,
} from '../domain/place';
import { Notifier } from './notifier';

/** The address bar and its history; that of the browser, or one for tests. */
export interface AddressBar {
  path(): string;
  search(): string;
  push(url: string): void;
  replace(url: string): void;
  /** Tells when the user went back or forward, until the returned function is called. */
  listen(moved: () => void): () => void;
}

export class PlaceStore {
  readonly notifier = new Notifier();
  readonly #bar: AddressBar | undefined;
  #current: Place;
  #connections: ConnectionsPlace = CONNECTIONS;
  #packets: PacketsPlace = PACKETS;
  #groups: GroupsPlace = GROUPS;
  #failures: FailuresPlace = FAILED;

  constructor(bar: AddressBar | undefined) {
    this.#bar = bar;
    this.#current = bar === undefined ? OVERVIEW : parsePlace(bar.path(), bar.search());
    this.#remember();
  }

  start(): () => void {
    return (
      this.#bar?.listen(() => {
        this.#set(parsePlace(this.#bar?.path() ?? '/', this.#bar?.search() ?? ''));
      }) ?? ((): void => undefined)
    );
  }

  get current(): Place {
    return this.#current;
  }

  /** The connections view as it was left. */
  get connections(): ConnectionsPlace {
    return this.#connections;
  }

  /** The packets view as it was left. */
  get packets(): PacketsPlace {
    return this.#packets;
  }

  /** The view of groups as it was left. */
  get groups(): GroupsPlace {
    return this.#groups;
  }

  /** The view of failures as it was left. */
  get failures(): FailuresPlace {
    return this.#failures;
  }

  /** Goes somewhere one can come back from. */
  go(place: Place): void {
    const url = formatPlace(place);
    if (url !== formatPlace(this.#current)) {
      this.#bar?.push(url);
    }
    this.#set(place);
  }

  /** Changes the present place. */
  replace(place: Place): void {
    this.#bar?.replace(formatPlace(place));
    this.#set(place);
  }

  #set(place: Place): void {
    this.#current = place;
    this.#remember();
    this.notifier.changedNow();
  }

  #remember(): void {
    if (this.#current.view === 'connections') {
      this.#connections = this.#current;
    } else if (this.#current.view === 'packets') {
      this.#packets = this.#current;
    } else if (this.#current.view === 'groups') {
      this.#groups = this.#current;
    } else if (this.#current.view === 'failures') {
      this.#failures = this.#current;
    }
  }
}
