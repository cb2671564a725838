// The live table: every listed connection in its newest form, and the state of the link it comes
// through. A snapshot is gathered aside and takes the table's place when it is complete, so a
// reconnect neither flickers nor leaves half a table.
import type { Connection, ConnectionRef, ResumePoint } from '../domain/connection';
import { CONNECTING, type LinkState } from '../domain/link';
import { Notifier } from './notifier';

/** What other stores hear, at once and in order. */
export interface LiveListener {
  upserted(connections: readonly Connection[]): void;
  removed(connections: readonly Connection[]): void;
  replaced(previous: ReadonlyMap<bigint, Connection>, sameInstance: boolean): void;
}

export class LiveStore {
  readonly notifier = new Notifier();
  #connections = new Map<bigint, Connection>();
  #incoming: Map<bigint, Connection> | undefined;
  #instance: bigint | undefined;
  #linkState: LinkState = CONNECTING;
  #lastDataMs: number | undefined;
  #clockOffsetMs = 0;
  #measureClock = true;
  #delayMs = 0;
  readonly #listeners = new Set<LiveListener>();

  get connections(): ReadonlyMap<bigint, Connection> {
    return this.#connections;
  }

  /** The daemon's run; undefined until the first snapshot is complete. */
  get instance(): bigint | undefined {
    return this.#instance;
  }

  get linkState(): LinkState {
    return this.#linkState;
  }

  /** When anything last arrived, by this browser's clock. */
  get lastDataMs(): number | undefined {
    return this.#lastDataMs;
  }

  /** How late the newest message was, compared with the quickest since the link came up. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** Connections of a snapshot that is not complete yet. */
  get loading(): number | undefined {
    return this.#incoming?.size;
  }

  listen(listener: LiveListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The connection, if it is listed by that run of the daemon. */
  find(ref: ConnectionRef): Connection | undefined {
    return ref.instance === this.#instance ? this.#connections.get(ref.id) : undefined;
  }

  /** The daemon's clock; it stands still while the link is down, so that ages do not run on. */
  daemonNowMs(nowMs: number): number {
    const atMs = this.#linkState.kind === 'live' ? nowMs : (this.#lastDataMs ?? nowMs);
    return atMs + this.#clockOffsetMs;
  }

  snapshotPart(first: boolean, connections: readonly Connection[]): void {
    if (first || this.#incoming === undefined) {
      this.#incoming = new Map();
    }
    for (const connection of connections) {
      this.#incoming.set(connection.id, connection);
    }
    this.notifier.changed();
  }

  snapshotEnd(at: ResumePoint): void {
    const sameInstance = at.instance === this.#instance;
    this.#instance = at.instance;
    if (this.#incoming !== undefined) {
      const previous = this.#connections;
      this.#connections = this.#incoming;
      this.#incoming = undefined;
      for (const listener of this.#listeners) {
        listener.replaced(previous, sameInstance);
      }
    }
    this.notifier.changed();
  }

  changes(_at: ResumePoint, connections: readonly Connection[], removed: readonly bigint[]): void {
    for (const connection of connections) {
      this.#connections.set(connection.id, connection);
    }
    const gone = removed.flatMap((id) => this.#connections.get(id) ?? []);
    for (const { id } of gone) {
      this.#connections.delete(id);
    }
    for (const listener of this.#listeners) {
      if (connections.length > 0) {
        listener.upserted(connections);
      }
      if (gone.length > 0) {
        listener.removed(gone);
      }
    }
    this.notifier.changed();
  }

  heard(atMs: number, sentAtMs: number | undefined): void {
    this.#lastDataMs = atMs;
    if (sentAtMs !== undefined) {
      const offsetMs = sentAtMs - atMs;
      this.#clockOffsetMs = this.#measureClock ? offsetMs : Math.max(this.#clockOffsetMs, offsetMs);
      this.#measureClock = false;
      this.#delayMs = atMs + this.#clockOffsetMs - sentAtMs;
    }
  }

  link(state: LinkState): void {
    if (state.kind === 'reconnecting' || state.kind === 'locked') {
      this.#incoming = undefined;
      this.#delayMs = 0;
      this.#measureClock = true;
    }
    this.#linkState = state;
    this.notifier.changed();
  }
}
