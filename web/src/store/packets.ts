// The newest packets: a ring of the last 2,000 for the stream panel, and the last 200 of one
// connection for the details, both fed by whatever single stream is open.
import type { Packet, PacketBatch } from '../domain/packet';
import { Notifier } from './notifier';

export const RING_SIZE = 2000;
const RECENT_SIZE = 200;

/** A packet with its running number in this tab, to tell rows apart. */
export interface NumberedPacket {
  readonly number: number;
  readonly packet: Packet;
}

/** Refused: the daemon answers, but shows no packets to this reader. */
export type PacketState = 'waiting' | 'open' | 'failed' | 'refused';

export class PacketStore {
  readonly notifier = new Notifier();
  #ring: NumberedPacket[] = [];
  #received = 0;
  #focus: bigint | undefined;
  #recent: NumberedPacket[] = [];
  #seeding = false;
  #lostInKernel = 0;
  #lostInStream = 0;
  #state: PacketState = 'waiting';
  #refusal = '';

  /** Oldest first; replaced, never changed, so it can be held while the stream goes on. */
  get ring(): readonly NumberedPacket[] {
    return this.#ring;
  }

  /** How many packets have arrived since the page was loaded. */
  get received(): number {
    return this.#received;
  }

  /** The newest packets of the connection in focus, oldest first. */
  get recent(): readonly NumberedPacket[] {
    return this.#recent;
  }

  get lostInKernel(): number {
    return this.#lostInKernel;
  }

  get lostInStream(): number {
    return this.#lostInStream;
  }

  get state(): PacketState {
    return this.#state;
  }

  /** Why the daemon shows no packets, in its own words; empty while it does. */
  get refusal(): string {
    return this.#refusal;
  }

  /** Another stream will be opened, or none: the panel starts afresh. */
  restart(): void {
    this.#ring = [];
    this.#lostInKernel = 0;
    this.#lostInStream = 0;
    this.#state = 'waiting';
    this.notifier.changedNow();
  }

  /** Whose packets the details show. Those at hand are taken over. */
  setFocus(id: bigint | undefined): void {
    if (id !== this.#focus || (id === undefined && this.#recent.length > 0)) {
      this.#focus = id;
      this.#recent = this.#ring.filter(({ packet }) => packet.connectionId === id).slice(-RECENT_SIZE);
      this.notifier.changedNow();
    }
  }

  /** The daemon restarted: its ids mean other connections, so what was shown is only kept. */
  endFocus(): void {
    this.#focus = undefined;
  }

  begin(): void {
    this.#ring = [];
    this.#seeding = true;
    this.#lostInKernel = 0;
    this.#lostInStream = 0;
    this.#state = 'open';
    this.#refusal = '';
    this.notifier.changed();
  }

  batch(batch: PacketBatch): void {
    const added = batch.packets.map((packet) => {
      this.#received += 1;
      return { number: this.#received, packet };
    });
    this.#ring = [...this.#ring, ...added].slice(-RING_SIZE);
    this.#addRecent(added);
    this.#lostInKernel = batch.lostInKernel;
    this.#lostInStream = batch.lostInStream;
    this.notifier.changed();
  }

  failed(): void {
    this.#state = 'failed';
    this.notifier.changed();
  }

  refused(reason: string): void {
    this.#ring = [];
    this.#state = 'refused';
    this.#refusal = reason;
    this.notifier.changed();
  }

  #addRecent(added: readonly NumberedPacket[]): void {
    const fresh = added.filter(({ packet }) => packet.connectionId === this.#focus && this.#isNew(packet));
    if (fresh.length > 0) {
      this.#recent = [...this.#recent, ...fresh].slice(-RECENT_SIZE);
    }
  }

  /** A stream begins with packets that an earlier one may have brought already. */
  #isNew(packet: Packet): boolean {
    const newest = this.#recent.at(-1)?.packet.timestampMs;
    this.#seeding &&= newest !== undefined && packet.timestampMs <= newest;
    return !this.#seeding;
  }
}
