// Several streams in one: a browser opens few connections to a host, and its pages may ask for many streams. In: the
// calls of a client. Out: the same, of which those that a bundle can carry go through one stream. It is opened with
// the first of them and closed with the last; where it breaks, all of them break, and whoever asks again opens another.
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  BundledRequestSchema,
  WatchConnectionRequestSchema,
  WatchConnectionsRequestSchema,
  WatchStatsRequestSchema,
  type BundledRequest,
  type WatchBundleResponse,
  type WatchConnectionResponse,
  type WatchConnectionsResponse,
  type WatchStatsResponse,
} from '../gen/tcpviewer/v1/service_pb';
import { GivenUp } from './retry';
import type { TcpViewerClient } from './transport';

const CODES = new Map<number, Code>(
  Object.values(Code).flatMap((code) => (typeof code === 'number' ? [[code, code] as const] : [])),
);

type Answer = WatchBundleResponse['message'];

/** The messages of the streams that a bundle can carry. */
interface Messages {
  readonly connections: WatchConnectionsResponse;
  readonly connection: WatchConnectionResponse;
  readonly stats: WatchStatsResponse;
}
type Kind = keyof Messages;

export function bundled(client: TcpViewerClient): TcpViewerClient {
  const bundles = new Bundles(client);
  return {
    ...client,
    watchConnections: (request, options) => {
      const value = create(WatchConnectionsRequestSchema, request);
      return bundles.ask('connections', { case: 'connections', value }, options?.signal);
    },
    watchConnection: (request, options) => {
      const value = create(WatchConnectionRequestSchema, request);
      return bundles.ask('connection', { case: 'connection', value }, options?.signal);
    },
    watchStats: (request, options) => {
      const value = create(WatchStatsRequestSchema, request);
      return bundles.ask('stats', { case: 'stats', value }, options?.signal);
    },
  };
}

function isOf<Asked extends Kind>(
  kind: Asked,
  answer: Answer,
): answer is Answer & { readonly case: Asked; readonly value: Messages[Asked] } {
  return answer.case === kind;
}

/** The open bundle, if there is one. */
class Bundles {
  readonly #client: TcpViewerClient;
  #open: Bundle | undefined;
  #lastNumber = 0;

  constructor(client: TcpViewerClient) {
    this.#client = client;
  }

  async *ask<Asked extends Kind>(
    kind: Asked,
    request: BundledRequest['request'],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Messages[Asked]> {
    signal?.throwIfAborted();
    if (this.#open === undefined || this.#open.isClosed) {
      this.#open = new Bundle(this.#client);
    }
    const bundle = this.#open;
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const part = bundle.start(create(BundledRequestSchema, { number, request }));
    const leave = (): void => {
      part.end(new ConnectError('nobody listens any more', Code.Canceled));
    };
    signal?.addEventListener('abort', leave);
    try {
      for (let answer = await part.next(); answer !== undefined; answer = await part.next()) {
        if (isOf(kind, answer)) {
          yield answer.value;
        }
      }
    } finally {
      signal?.removeEventListener('abort', leave);
      // What is late or silent is so for all that comes the same way.
      if (signal?.reason instanceof GivenUp) {
        bundle.close(new ConnectError(signal.reason.message, Code.Unavailable));
      }
      bundle.stop(number);
    }
  }
}

/** One bundle, from its first stream to its last. */
class Bundle {
  readonly #client: TcpViewerClient;
  readonly #parts = new Map<number, Part>();
  readonly #abort = new AbortController();
  #isOpened = false;
  #name: string | undefined;
  #toStart: BundledRequest[] = [];
  #toStop: number[] = [];
  #isChanging = false;

  constructor(client: TcpViewerClient) {
    this.#client = client;
  }

  get isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  start(request: BundledRequest): Part {
    const part = new Part();
    this.#parts.set(request.number, part);
    this.#toStart.push(request);
    if (this.#isOpened) {
      void this.#change();
    } else {
      this.#isOpened = true;
      void this.#run();
    }
    return part;
  }

  stop(number: number): void {
    const waiting = this.#toStart.length;
    this.#toStart = this.#toStart.filter((request) => request.number !== number);
    if (this.#parts.delete(number) && this.#toStart.length === waiting) {
      this.#toStop.push(number);
    }
    if (this.#parts.size === 0) {
      this.close(new ConnectError('nobody listens any more', Code.Canceled));
    } else {
      void this.#change();
    }
  }

  /** Ends the bundle, and its streams with this error. */
  close(error: unknown): void {
    this.#abort.abort();
    for (const part of this.#parts.values()) {
      part.end(error);
    }
    this.#parts.clear();
  }

  async #run(): Promise<void> {
    const start = this.#toStart.splice(0);
    try {
      for await (const said of this.#client.watchBundle({ start }, { signal: this.#abort.signal })) {
        this.#take(said);
      }
      this.close(new ConnectError('the stream ended', Code.Unavailable));
    } catch (error) {
      this.close(error);
    }
  }

  #take({ number, message }: WatchBundleResponse): void {
    if (message.case === 'opened') {
      this.#name = message.value;
      void this.#change();
    } else if (message.case === 'end') {
      const { code, message: words } = message.value;
      this.#parts.get(number)?.end(code === 0 ? undefined : new ConnectError(words, codeOf(code)));
      this.#parts.delete(number);
    } else {
      this.#parts.get(number)?.push(message);
    }
  }

  /** Tells the daemon what has changed, one call after the other, once it has told the name. */
  async #change(): Promise<void> {
    if (this.#name === undefined || this.#isChanging) {
      return;
    }
    this.#isChanging = true;
    while (!this.isClosed && (this.#toStart.length > 0 || this.#toStop.length > 0)) {
      const request = { name: this.#name, stop: this.#toStop.splice(0), start: this.#toStart.splice(0) };
      try {
        await this.#client.changeBundle(request, { signal: this.#abort.signal });
      } catch (error) {
        this.close(error);
      }
    }
    this.#isChanging = false;
  }
}

/** A newer daemon may know more codes. */
function codeOf(code: number): Code {
  return CODES.get(code) ?? Code.Unknown;
}

/** What came for one stream and was not taken yet. Who listens takes at once, so that it stays short. */
class Part {
  readonly #answers: Answer[] = [];
  #ended: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(answer: Answer): void {
    this.#answers.push(answer);
    this.#wake?.();
  }

  /** Without an error it ended in order, after what came before. */
  end(error: unknown): void {
    this.#ended ??= { error };
    this.#wake?.();
  }

  async next(): Promise<Answer | undefined> {
    while (this.#answers.length === 0 && this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const answer = this.#answers.shift();
    if (answer === undefined && this.#ended?.error !== undefined) {
      throw ConnectError.from(this.#ended.error);
    }
    return answer;
  }
}
