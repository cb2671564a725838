// Made-up traffic as a capture that never ends: many connections that are opened, and of which some change
// every second. It is played by `tcpviewer replay - --serve`, through the same table and API as that of a host.
import type { Writable } from 'node:stream';

const MICROSECONDS_MAGIC = 0xa1b2c3d4;
const ETHERNET = 1;
const HEADER_BYTES = 14 + 20 + 20;
const SERVER = [10, 0, 0, 1] as const;
const FLAGS = { syn: 0x02, synAck: 0x12, ack: 0x10, data: 0x18 };

/** A connection from an address and a port that follow from its number, to port 443 of the server. */
interface Talk {
  readonly client: readonly [number, number, number, number];
  readonly port: number;
  sent: number;
}

export class SyntheticTraffic {
  readonly #out: Writable;
  readonly #talks: Talk[] = [];
  #next = 0;

  constructor(out: Writable) {
    this.#out = out;
    const header = Buffer.alloc(24);
    header.writeUInt32LE(MICROSECONDS_MAGIC, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(65_535, 16);
    header.writeUInt32LE(ETHERNET, 20);
    out.write(header);
  }

  /** Opens so many more connections, each by its handshake. */
  async open(count: number): Promise<void> {
    for (let opened = 0; opened < count; opened += 1) {
      const number = this.#talks.length;
      const talk: Talk = {
        client: [10, 1 + (number >> 16), (number >> 8) & 0xff, number & 0xff],
        port: 20_000 + (number % 40_000),
        sent: 1,
      };
      this.#talks.push(talk);
      await this.#write([
        this.#packet(talk, true, FLAGS.syn, 0, 0, 0),
        this.#packet(talk, false, FLAGS.synAck, 0, 1, 0),
        this.#packet(talk, true, FLAGS.ack, 1, 1, 0),
      ]);
    }
  }

  /** Lets so many connections, the next ones each time, send a little. */
  async change(count: number): Promise<void> {
    for (let changed = 0; changed < count; changed += 1) {
      const talk = this.#talks[this.#next % this.#talks.length];
      this.#next += 1;
      if (talk !== undefined) {
        const bytes = 100 + (this.#next % 900);
        await this.#write([this.#packet(talk, true, FLAGS.data, talk.sent, 1, bytes)]);
        talk.sent += bytes;
      }
    }
  }

  async #write(packets: readonly Buffer[]): Promise<void> {
    if (!this.#out.write(Buffer.concat(packets))) {
      await new Promise((resolve) => this.#out.once('drain', resolve));
    }
  }

  /** A record of the capture: the headers of a packet, whose payload is cut off. */
  #packet(talk: Talk, fromClient: boolean, flags: number, seq: number, ack: number, payload: number): Buffer {
    const record = Buffer.alloc(16 + HEADER_BYTES);
    const now = Date.now();
    record.writeUInt32LE(Math.floor(now / 1000), 0);
    record.writeUInt32LE((now % 1000) * 1000, 4);
    record.writeUInt32LE(HEADER_BYTES, 8);
    record.writeUInt32LE(HEADER_BYTES + payload, 12);
    const ip = record.subarray(16 + 14);
    record.writeUInt16BE(0x0800, 16 + 12);
    ip.writeUInt8(0x45, 0);
    ip.writeUInt16BE(40 + payload, 2);
    ip.writeUInt8(64, 8);
    ip.writeUInt8(6, 9);
    const [source, destination] = fromClient ? [talk.client, SERVER] : [SERVER, talk.client];
    ip.set(source, 12);
    ip.set(destination, 16);
    const tcp = ip.subarray(20);
    tcp.writeUInt16BE(fromClient ? talk.port : 443, 0);
    tcp.writeUInt16BE(fromClient ? 443 : talk.port, 2);
    tcp.writeUInt32BE(seq, 4);
    tcp.writeUInt32BE(ack, 8);
    tcp.writeUInt8(0x50, 12);
    tcp.writeUInt8(flags, 13);
    tcp.writeUInt16BE(0xffff, 14);
    return record;
  }
}
