// What a page can ask the daemon to be told, and what it is then told: plain data, so that it can
// cross from a worker to the pages that share its streams.
import type { Connection, ResumePoint } from './connection';
import type { NotablePacket, Point } from './history';
import type { LinkState } from './link';
import type { Listener } from './listener';
import type { PacketBatch } from './packet';
import type { GroupKind, Stats } from './stats';
import type { Status } from './status';

export interface ConnectionsTopic {
  readonly kind: 'connections';
  /** In the daemon's filter language; empty for all. */
  readonly filter: string;
  /** A field of that language, with " desc" behind it where the largest comes first. */
  readonly orderBy: string;
  /** How many connections to hold, those behind the first `offset` in this order; 0 for all, without order. */
  readonly limit: number;
  readonly offset: number;
}

export interface PacketsTopic {
  readonly kind: 'packets';
  /** In the daemon's filter language; empty for all. */
  readonly filter: string;
  readonly connectionId: bigint | undefined;
  /** How many packets at hand to begin with. */
  readonly last: number;
}

/** One connection in detail, of the present run of the daemon. */
export interface ConnectionTopic {
  readonly kind: 'connection';
  readonly id: bigint;
}

/** Sums grouped by one thing, all groups of it as far as a page shows them. */
export interface GroupsTopic {
  readonly kind: 'groups';
  readonly by: GroupKind;
}

export type Topic =
  | { readonly kind: 'status' }
  | { readonly kind: 'stats' }
  | { readonly kind: 'listeners' }
  | ConnectionsTopic
  | ConnectionTopic
  | GroupsTopic
  | PacketsTopic;

export type FeedBody =
  | { readonly kind: 'link'; readonly link: LinkState }
  | { readonly kind: 'status'; readonly status: Status }
  | { readonly kind: 'stats'; readonly stats: Stats }
  | { readonly kind: 'listeners'; readonly listeners: readonly Listener[] }
  | {
      readonly kind: 'snapshot';
      readonly first: boolean;
      readonly connections: readonly Connection[];
    }
  | {
      readonly kind: 'snapshot-end';
      readonly at: ResumePoint;
      /** How many connections pass the filter, limit and offset aside. */
      readonly total: number;
    }
  | {
      readonly kind: 'changes';
      readonly at: ResumePoint;
      readonly connections: readonly Connection[];
      readonly removed: readonly bigint[];
      readonly total: number;
      /** Ids of all that is held now, in order; undefined where that did not change. */
      readonly order: readonly bigint[] | undefined;
    }
  /** Nothing changed up to here. */
  | { readonly kind: 'heartbeat'; readonly at: ResumePoint }
  | {
      readonly kind: 'detail';
      /** Whether this has all that is at hand, and not only what is new. */
      readonly first: boolean;
      /** Undefined where it did not change. */
      readonly connection: Connection | undefined;
      readonly points: readonly Point[];
      readonly packets: readonly NotablePacket[];
      readonly missedPackets: number;
      /** It has left the list. */
      readonly gone: boolean;
    }
  /** A packet stream begins anew, with the packets at hand. */
  | { readonly kind: 'packets-begin' }
  | { readonly kind: 'packets'; readonly batch: PacketBatch };

export type FeedMessage = FeedBody & {
  /** When it arrived, by this host's clock. */
  readonly atMs: number;
  /** When the daemon made it, by the daemon's clock, where it says so. */
  readonly sentAtMs: number | undefined;
};

export type FeedListener = (message: FeedMessage) => void;

/** The way to the daemon, as stores see it. */
export interface Feeds {
  /** Tells the listener everything about the topic from now on, until the returned function is called. */
  open(topic: Topic, listener: FeedListener): () => void;
  /** There is another token, or a reason to believe that the daemon answers again. */
  retryNow(): void;
}

/** The same text for topics that ask for the same. */
export function topicKey(topic: Topic): string {
  switch (topic.kind) {
    case 'status':
    case 'stats':
    case 'listeners':
      return topic.kind;
    case 'connections':
      return JSON.stringify([topic.kind, topic.filter, topic.orderBy, topic.offset, topic.limit]);
    case 'connection':
      return JSON.stringify([topic.kind, String(topic.id)]);
    case 'groups':
      return JSON.stringify([topic.kind, topic.by]);
    case 'packets':
      return JSON.stringify([topic.kind, topic.filter, String(topic.connectionId), topic.last]);
  }
}
