// Keeps one WatchPackets stream open while packets are wished for, and none otherwise: the kernel
// hands packets over only while somebody watches.
import type { LinkFailure } from '../domain/link';
import { NO_PACKETS, sameWish, type PacketBatch, type PacketWish } from '../domain/packet';
import { toPacketBatch } from './convert-packet';
import { backoffMs, isAborted, isRefusal, REFUSED_DELAY_MS, toFailure, wait } from './retry';
import { SilenceTimer } from './silence';
import type { TcpViewerClient } from './transport';

/** Where packets go; a store implements it. */
export interface PacketSink {
  /** The daemon has opened a stream: it begins with the packets at hand. */
  begin(): void;
  batch(batch: PacketBatch): void;
  /** The stream broke; another attempt follows. */
  failed(message: string): void;
  /** The daemon does not let this reader see packets. */
  refused(reason: string): void;
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

  /** Ends the wait before the next attempt: the daemon is known to answer again, or there is another token. */
  retryNow(): void {
    this.#pause.abort();
  }

  async #run(wish: Exclude<PacketWish, { kind: 'none' }>, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const failure = await this.#watchOnce(wish, signal, () => {
        attempt = 0;
        this.#sink.begin();
      });
      if (!isAborted(signal)) {
        const refused = isRefusal(failure);
        if (refused) {
          this.#sink.refused(failure.message);
        } else {
          this.#sink.failed(failure.message);
        }
        this.#pause = new AbortController();
        const delayMs = refused ? REFUSED_DELAY_MS : backoffMs(attempt);
        await wait(delayMs, AbortSignal.any([signal, this.#pause.signal]));
      }
    }
  }

  /** Reads one stream to its end and tells why it ended. */
  async #watchOnce(
    wish: Exclude<PacketWish, { kind: 'none' }>,
    signal: AbortSignal,
    onHeader: () => void,
  ): Promise<LinkFailure> {
    const request = { last: wish.last, ...(wish.kind === 'connection' ? { connectionId: wish.id } : {}) };
    const silent = new AbortController();
    const silence = new SilenceTimer(() => {
      silent.abort();
    });
    try {
      const options = { signal: AbortSignal.any([signal, silent.signal]), onHeader };
      for await (const message of this.#client.watchPackets(request, options)) {
        silence.restart();
        this.#sink.batch(toPacketBatch(message));
      }
      return { kind: 'ended', message: 'the stream ended' };
    } catch (error) {
      return toFailure(error);
    } finally {
      silence.stop();
    }
  }
}
