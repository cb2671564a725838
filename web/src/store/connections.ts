// The connections of one topic, each in its newest form, and the state of the link they come through.
// A snapshot is gathered aside and takes their place when it is complete, so neither a reconnect nor
// another filter flickers or leaves half a table.
import type { Connection, ConnectionRef } from '../domain/connection';
import { CONNECTING, type LinkState } from '../domain/link';
import { topicKey, type ConnectionsTopic, type FeedMessage, type Feeds } from '../domain/topic';
import { Notifier } from './notifier';

/** What other stores hear, at once and in order. */
export interface ConnectionListener {
  upserted(connections: readonly Connection[]): void;
  removed(connections: readonly Connection[]): void;
  /** `continues` when the rows before were those of the same topic and run of the daemon. */
  replaced(previous: ReadonlyMap<bigint, Connection>, continues: boolean): void;
}

export class ConnectionStore {
  readonly notifier = new Notifier();
  readonly #feeds: Feeds;
  #topic: ConnectionsTopic | undefined;
  #close: (() => void) | undefined;
  #connections = new Map<bigint, Connection>();
  #incoming: Map<bigint, Connection> | undefined;
  #order: readonly bigint[] = [];
  #offset = 0;
  #total = 0;
  #instance: bigint | undefined;
  #link: LinkState = CONNECTING;
  #settled = false;
  readonly #listeners = new Set<ConnectionListener>();

  constructor(feeds: Feeds) {
    this.#feeds = feeds;
  }

  /** Asks for other connections, or for none; those held stay until the others are complete. */
  watch(topic: ConnectionsTopic | undefined): void {
    const key = topic && topicKey(topic);
    if (key === (this.#topic && topicKey(this.#topic))) {
      return;
    }
    this.#close?.();
    this.#close = undefined;
    this.#topic = topic;
    this.#incoming = undefined;
    this.#settled = false;
    if (topic !== undefined) {
      this.#close = this.#feeds.open(topic, (message) => {
        this.#take(message);
      });
    }
    this.notifier.changed();
  }

  /** Forgets what is held, and asks for nothing. */
  clear(): void {
    this.watch(undefined);
    this.#drop();
  }

  get topic(): ConnectionsTopic | undefined {
    return this.#topic;
  }

  get connections(): ReadonlyMap<bigint, Connection> {
    return this.#connections;
  }

  /** The ids of those that are held, in the order that was asked for. */
  get order(): readonly bigint[] {
    return this.#order;
  }

  /** How many stand before them in this order. */
  get offset(): number {
    return this.#offset;
  }

  /** How many there are in all that pass the filter. */
  get total(): number {
    return this.#total;
  }

  /** The daemon's run; undefined until the first snapshot is complete. */
  get instance(): bigint | undefined {
    return this.#instance;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** Whether what is held is what was asked for last. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Connections of a snapshot that is not complete yet. */
  get loading(): number | undefined {
    return this.#incoming?.size;
  }

  listen(listener: ConnectionListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The connection, if it is held and of that run of the daemon. */
  find(ref: ConnectionRef): Connection | undefined {
    return ref.instance === this.#instance ? this.#connections.get(ref.id) : undefined;
  }

  #take(message: FeedMessage): void {
    switch (message.kind) {
      case 'link':
        this.#setLink(message.link);
        return;
      case 'snapshot':
        this.#snapshotPart(message.first, message.connections);
        return;
      case 'snapshot-end':
        this.#snapshotEnd(message.at.instance, message.total);
        return;
      case 'changes':
        this.#changes(message);
        return;
      case 'heartbeat':
      case 'detail':
      case 'status':
      case 'stats':
      case 'listeners':
      case 'packets-begin':
      case 'packets':
        return;
    }
  }

  #setLink(link: LinkState): void {
    if (link.kind !== 'live') {
      this.#incoming = undefined;
    }
    // While a filter is being typed and is wrong, the rows of the last good one stay.
    if (link.kind === 'refused' && link.failure.kind !== 'invalid') {
      this.#settled = true;
      this.#drop();
    }
    this.#link = link;
    this.notifier.changed();
  }

  #snapshotPart(first: boolean, connections: readonly Connection[]): void {
    if (first || this.#incoming === undefined) {
      this.#incoming = new Map();
    }
    for (const connection of connections) {
      this.#incoming.set(connection.id, connection);
    }
    this.notifier.changed();
  }

  #snapshotEnd(instance: bigint, total: number): void {
    const continues = instance === this.#instance && this.#settled;
    this.#instance = instance;
    this.#settled = true;
    this.#total = total;
    if (this.#incoming !== undefined) {
      const previous = this.#connections;
      this.#connections = this.#incoming;
      this.#order = [...this.#incoming.keys()];
      this.#offset = this.#topic?.offset ?? 0;
      this.#incoming = undefined;
      this.#tellReplaced(previous, continues);
    }
    this.notifier.changed();
  }

  #changes({ connections, removed, total, order }: Extract<FeedMessage, { kind: 'changes' }>): void {
    for (const connection of connections) {
      this.#connections.set(connection.id, connection);
    }
    const gone = removed.flatMap((id) => this.#connections.get(id) ?? []);
    for (const { id } of gone) {
      this.#connections.delete(id);
    }
    this.#total = total;
    this.#order = order ?? this.#order;
    for (const listener of this.#listeners) {
      if (connections.length > 0 || order !== undefined) {
        listener.upserted(connections);
      }
      if (gone.length > 0) {
        listener.removed(gone);
      }
    }
    this.notifier.changed();
  }

  #drop(): void {
    const previous = this.#connections;
    this.#connections = new Map();
    this.#order = [];
    this.#total = 0;
    this.#tellReplaced(previous, false);
  }

  #tellReplaced(previous: ReadonlyMap<bigint, Connection>, continues: boolean): void {
    for (const listener of this.#listeners) {
      listener.replaced(previous, continues);
    }
    this.notifier.changed();
  }
}
