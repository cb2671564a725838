// What a shared feed has told so far, in short: enough to bring one more listener up to date without
// asking the daemon again.
import type { Connection, ResumePoint } from '../domain/connection';
import type { PacketBatch } from '../domain/packet';
import { inShort } from '../domain/stats';
import type { FeedBody, FeedMessage } from '../domain/topic';

/** Ten minutes of sums and statuses, one per second. */
const SUMS_KEPT = 600;
const PACKETS_KEPT = 1000;
const POINTS_KEPT = 3000;
const NOTABLE_KEPT = 1200;

type Detail = Extract<FeedBody, { kind: 'detail' }>;

export class FeedMemory {
  #link: FeedMessage | undefined;
  /** Statuses or sums, oldest first. */
  #sums: FeedMessage[] = [];
  #connections = new Map<bigint, Connection>();
  #incoming: Map<bigint, Connection> | undefined;
  #order: readonly bigint[] | undefined;
  #total = 0;
  #at: ResumePoint | undefined;
  #detail: Detail | undefined;
  #batch: PacketBatch | undefined;
  #listeners: FeedMessage | undefined;

  take(message: FeedMessage): void {
    switch (message.kind) {
      case 'link':
        this.#link = message;
        return;
      case 'status':
        this.#keep(message);
        return;
      case 'stats': {
        const newest = this.#sums.at(-1);
        if (newest?.kind === 'stats') {
          this.#sums[this.#sums.length - 1] = { ...newest, stats: inShort(newest.stats) };
        }
        this.#keep(message);
        return;
      }
      case 'listeners':
        this.#listeners = message;
        return;
      case 'snapshot':
        if (message.first || this.#incoming === undefined) {
          this.#incoming = new Map();
        }
        for (const connection of message.connections) {
          this.#incoming.set(connection.id, connection);
        }
        return;
      case 'snapshot-end':
        this.#connections = this.#incoming ?? this.#connections;
        this.#incoming = undefined;
        this.#order = undefined;
        this.#total = message.total;
        this.#at = message.at;
        return;
      case 'changes':
        for (const connection of message.connections) {
          this.#connections.set(connection.id, connection);
        }
        for (const id of message.removed) {
          this.#connections.delete(id);
        }
        this.#order = message.order ?? this.#order;
        this.#total = message.total;
        this.#at = message.at;
        return;
      case 'heartbeat':
        this.#at = this.#at && message.at;
        return;
      case 'detail':
        this.#detail = withNews(message.first ? undefined : this.#detail, message);
        return;
      case 'packets-begin':
        this.#batch = { packets: [], lostInKernel: 0, lostInStream: 0, leftOut: 0, sampling: 1 };
        return;
      case 'packets':
        this.#batch = {
          ...message.batch,
          packets: [...(this.#batch?.packets ?? []), ...message.batch.packets].slice(-PACKETS_KEPT),
        };
    }
  }

  #keep(message: FeedMessage): void {
    this.#sums.push(message);
    if (this.#sums.length > SUMS_KEPT) {
      this.#sums.shift();
    }
  }

  /** What a new listener is told first, at this time. */
  tell(atMs: number): FeedMessage[] {
    const message = (body: FeedBody): FeedMessage => ({ ...body, atMs, sentAtMs: undefined });
    const told: FeedMessage[] = [...this.#sums];
    if (this.#at !== undefined) {
      const ids = this.#order ?? [...this.#connections.keys()];
      const connections = ids.flatMap((id) => this.#connections.get(id) ?? []);
      told.push(message({ kind: 'snapshot', first: true, connections }));
      told.push(message({ kind: 'snapshot-end', at: this.#at, total: this.#total }));
    }
    if (this.#listeners !== undefined) {
      told.push(this.#listeners);
    }
    if (this.#detail !== undefined) {
      told.push(message(this.#detail));
    }
    if (this.#batch !== undefined) {
      told.push(message({ kind: 'packets-begin' }), message({ kind: 'packets', batch: this.#batch }));
    }
    return this.#link === undefined ? told : [...told, this.#link];
  }
}

/** All that was told so far of a connection, as one message. */
function withNews(before: Detail | undefined, news: Detail): Detail {
  return {
    kind: 'detail',
    first: true,
    connection: news.connection ?? before?.connection,
    points: [...(before?.points ?? []), ...news.points].slice(-POINTS_KEPT),
    packets: [...(before?.packets ?? []), ...news.packets].slice(-NOTABLE_KEPT),
    missedPackets: news.missedPackets,
    gone: news.gone,
  };
}
