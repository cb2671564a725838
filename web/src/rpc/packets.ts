// Keeps one WatchPackets stream open while packets are wished for, and none otherwise: the kernel
// hands packets over only while somebody watches.
import { NO_PACKETS, sameWish, type PacketBatch, type PacketWish } from '../domain/packet';
import { toPacketBatch } from './convert-packet';
import { backoffMs, isAborted, toFailure, wait } from './retry';
import type { TcpViewerClient } from './transport';

/** Where packets go; a store implements it. */
export interface PacketSink {
  /** The daemon has opened a stream: it begins with the packets at hand. */
  begin(): void;
  batch(batch: PacketBatch): void;
  /** The stream broke; another attempt follows. */
  failed(message: string): void;
}

export class PacketFeed {
  readonly #client: TcpViewerClient;
  readonly #sink: PacketSink;
  #wish: PacketWish = NO_PACKETS;
  #running: AbortController | undefined;
  #pause = new AbortController();

  constructor(client: TcpViewerClient, sink: PacketSink) {
    this.#client = client;
    this.#sink = sink;
  }

  /** Opens, changes or closes the stream. The same wish again changes nothing. */
  watch(wish: PacketWish): void {
    if (sameWish(wish, this.#wish)) {
      return;
    }
    this.#running?.abort();
    this.#running = undefined;
    this.#wish = wish;
    if (wish.kind !== 'none') {
      this.#running = new AbortController();
      void this.#run(wish, this.#running.signal);
    }
  }

  /** Ends the wait before the next attempt: the daemon is known to answer again. */
  retryNow(): void {
    this.#pause.abort();
  }

  async #run(wish: Exclude<PacketWish, { kind: 'none' }>, signal: AbortSignal): Promise<void> {
    const request = { last: wish.last, ...(wish.kind === 'connection' ? { connectionId: wish.id } : {}) };
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const onHeader = (): void => {
        attempt = 0;
        this.#sink.begin();
      };
      try {
        for await (const message of this.#client.watchPackets(request, { signal, onHeader })) {
          this.#sink.batch(toPacketBatch(message));
        }
      } catch (error) {
        if (!isAborted(signal)) {
          this.#sink.failed(toFailure(error).message);
        }
      }
      this.#pause = new AbortController();
      await wait(backoffMs(attempt), AbortSignal.any([signal, this.#pause.signal]));
    }
  }
}
