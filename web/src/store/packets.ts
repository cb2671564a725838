// The newest packets of one topic, at most 1,000.
import type { Packet, PacketBatch } from '../domain/packet';
import { CONNECTING, type LinkState } from '../domain/link';
import { topicKey, type FeedMessage, type Feeds, type PacketsTopic } from '../domain/topic';
import { Notifier } from './notifier';

export const RING_SIZE = 1000;

/** A packet with its running number in this tab, to tell rows apart. */
export interface NumberedPacket {
  readonly number: number;
  readonly packet: Packet;
}

export class PacketStore {
  readonly notifier = new Notifier();
  readonly #feeds: Feeds;
  #topic: PacketsTopic | undefined;
  #close: (() => void) | undefined;
  #ring: NumberedPacket[] = [];
  #received = 0;
  #lostInKernel = 0;
  #lostInStream = 0;
  #leftOut = 0;
  #sampling = 1;
  #link: LinkState = CONNECTING;

  constructor(feeds: Feeds) {
    this.#feeds = feeds;
  }

  /** Asks for other packets, or for none. */
  watch(topic: PacketsTopic | undefined): void {
    const key = topic && topicKey(topic);
    if (key === (this.#topic && topicKey(this.#topic))) {
      return;
    }
    this.#close?.();
    this.#close = undefined;
    this.#topic = topic;
    this.#clear();
    this.#link = CONNECTING;
    if (topic !== undefined) {
      this.#close = this.#feeds.open(topic, (message) => {
        this.#take(message);
      });
    }
    this.notifier.changedNow();
  }

  get topic(): PacketsTopic | undefined {
    return this.#topic;
  }

  /** Oldest first; replaced, never changed, so it can be held while the stream goes on. */
  get ring(): readonly NumberedPacket[] {
    return this.#ring;
  }

  /** How many packets have arrived since the page was loaded. */
  get received(): number {
    return this.#received;
  }

  get lostInKernel(): number {
    return this.#lostInKernel;
  }

  get lostInStream(): number {
    return this.#lostInStream;
  }

  get leftOut(): number {
    return this.#leftOut;
  }

  /** Of so many packets one comes. */
  get sampling(): number {
    return this.#sampling;
  }

  get link(): LinkState {
    return this.#link;
  }

  #take(message: FeedMessage): void {
    switch (message.kind) {
      case 'link':
        this.#link = message.link;
        if (message.link.kind === 'refused') {
          this.#clear();
        }
        this.notifier.changed();
        return;
      case 'packets-begin':
        this.#clear();
        this.notifier.changed();
        return;
      case 'packets':
        this.#batch(message.batch);
        return;
      case 'heartbeat':
      case 'detail':
      case 'status':
      case 'stats':
      case 'listeners':
      case 'snapshot':
      case 'snapshot-end':
      case 'changes':
        return;
    }
  }

  #clear(): void {
    this.#ring = [];
    this.#lostInKernel = 0;
    this.#lostInStream = 0;
    this.#leftOut = 0;
    this.#sampling = 1;
  }

  #batch(batch: PacketBatch): void {
    const added = batch.packets.map((packet) => {
      this.#received += 1;
      return { number: this.#received, packet };
    });
    this.#ring = [...this.#ring, ...added].slice(-RING_SIZE);
    this.#lostInKernel = batch.lostInKernel;
    this.#lostInStream = batch.lostInStream;
    this.#leftOut = batch.leftOut;
    this.#sampling = batch.sampling;
    this.notifier.changed();
  }
}
