// The connection that is looked at: its newest form, kept when it leaves the list, how its numbers went, and its
// packets worth remembering.
import type { Connection, ConnectionRef } from '../domain/connection';
import type { NotablePacket, Point } from '../domain/history';
import { CONNECTING, type LinkState } from '../domain/link';
import type { FeedMessage, Feeds } from '../domain/topic';
import type { ConnectionStore } from './connections';
import { Notifier } from './notifier';

const POINTS_KEPT = 3000;
/** As many as the daemon keeps of a connection that is watched. */
const PACKETS_KEPT = 1200;

export class SelectionStore {
  readonly notifier = new Notifier();
  readonly #feeds: Feeds;
  readonly #table: ConnectionStore;
  #ref: ConnectionRef | undefined;
  #close: (() => void) | undefined;
  #connection: Connection | undefined;
  #listed: boolean | undefined;
  #points: readonly Point[] = [];
  #packets: readonly NotablePacket[] = [];
  #missedPackets = 0;
  #link: LinkState = CONNECTING;

  /** Until its own data is there, the connection is shown as the table has it. */
  constructor(feeds: Feeds, table: ConnectionStore) {
    this.#feeds = feeds;
    this.#table = table;
  }

  get ref(): ConnectionRef | undefined {
    return this.#ref;
  }

  /** The newest form that is known, even when the connection is no longer listed. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Whether the daemon lists it; undefined until it has said so. */
  get listed(): boolean | undefined {
    return this.#listed;
  }

  /** How its numbers went, oldest first. */
  get points(): readonly Point[] {
    return this.#points;
  }

  /** Its packets worth remembering, oldest first. */
  get packets(): readonly NotablePacket[] {
    return this.#packets;
  }

  /** How many of those there were besides. */
  get missedPackets(): number {
    return this.#missedPackets;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** Whether this id is the selected one, in the run of the daemon that the table shows. */
  isSelected(id: bigint): boolean {
    return this.#ref?.id === id && this.#ref.instance === this.#table.instance;
  }

  select(ref: ConnectionRef | undefined): void {
    if (ref?.id !== this.#ref?.id || ref?.instance !== this.#ref?.instance) {
      this.#stop();
      this.#ref = ref;
      this.#connection = ref === undefined ? undefined : this.#table.find(ref);
      this.#listed = undefined;
      this.#points = [];
      this.#packets = [];
      this.#missedPackets = 0;
      this.notifier.changedNow();
    }
  }

  /** Asks for what is new of the connection, if it is of this run of the daemon; undefined while nobody looks. */
  watch(run: bigint | undefined): void {
    const { instance, id } = this.#ref ?? {};
    if (id === undefined || run === undefined) {
      this.#stop();
    } else if (instance !== run) {
      // Its number means another connection now.
      this.#stop();
      this.#listed = false;
      this.notifier.changed();
    } else {
      this.#close ??= this.#feeds.open({ kind: 'connection', id }, (message) => {
        this.#take(message);
      });
    }
  }

  #stop(): void {
    this.#close?.();
    this.#close = undefined;
    this.#link = CONNECTING;
  }

  #take(message: FeedMessage): void {
    if (message.kind === 'link') {
      this.#link = message.link;
      if (message.link.kind === 'refused' && message.link.failure.kind === 'missing') {
        this.#listed = false;
      }
      this.notifier.changed();
    } else if (message.kind === 'detail' && this.#isSame(message.connection)) {
      this.#connection = message.connection ?? this.#connection;
      this.#listed = !message.gone;
      const [points, packets] = message.first ? [[], []] : [this.#points, this.#packets];
      this.#points = [...points, ...message.points].slice(-POINTS_KEPT);
      this.#packets = [...packets, ...message.packets].slice(-PACKETS_KEPT);
      this.#missedPackets = message.missedPackets;
      this.notifier.changed();
    }
  }

  /** After a restart of the daemon a number means another connection, before the status tells of the restart. */
  #isSame(connection: Connection | undefined): boolean {
    const known = this.#connection;
    return (
      connection === undefined ||
      known === undefined ||
      (connection.source.port === known.source.port &&
        connection.source.address === known.source.address &&
        connection.destination.port === known.destination.port &&
        connection.destination.address === known.destination.address)
    );
  }
}
