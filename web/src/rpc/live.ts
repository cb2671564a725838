// Keeps one WatchConnections stream open for as long as the feed runs: applies what arrives at
// once, resumes after a break at the last revision held, notices silence and late data, and
// tells the state of the link. It never waits for rendering: the sink only changes a map. Without the
// token that the daemon wants it waits for one.
import type { Connection, ResumePoint } from '../domain/connection';
import { CONNECTING, type LinkFailure, type LinkState } from '../domain/link';
import type { WatchConnectionsResponse } from '../gen/tcpviewer/v1/service_pb';
import { toConnection, toMilliseconds } from './convert';
import { backoffMs, isAborted, REFUSED_DELAY_MS, toFailure, wait } from './retry';
import { SilenceTimer } from './silence';
import type { TcpViewerClient } from './transport';

/** Data that arrives this much later than the stream's quickest message is given up for fresh data. */
export const DELAY_LIMIT_MS = 5_000;

/** Where the table goes; a store implements it. */
export interface LiveSink {
  snapshotPart(first: boolean, connections: readonly Connection[]): void;
  snapshotEnd(at: ResumePoint): void;
  changes(at: ResumePoint, connections: readonly Connection[], removed: readonly bigint[]): void;
  heard(atMs: number, sentAtMs: number | undefined): void;
  link(state: LinkState): void;
}

/** A break that this side decided on. */
class GivenUp extends Error {
  readonly failure: LinkFailure;

  constructor(failure: LinkFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

export class LiveFeed {
  readonly #client: TcpViewerClient;
  readonly #sink: LiveSink;
  readonly #now: () => number;
  #running: AbortController | undefined;
  #resume: ResumePoint | undefined;
  #attempt = 0;
  #pause = new AbortController();
  #state: LinkState = CONNECTING;

  constructor(client: TcpViewerClient, sink: LiveSink, now: () => number = Date.now) {
    this.#client = client;
    this.#sink = sink;
    this.#now = now;
  }

  start(): void {
    if (this.#running === undefined) {
      this.#running = new AbortController();
      void this.#run(this.#running.signal);
    }
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  /** Ends the wait for a token: there is another one. */
  retryNow(): void {
    if (this.#state.kind === 'locked') {
      this.#setState(CONNECTING);
      this.#pause.abort();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const failure = await this.#watchOnce(signal);
      if (isAborted(signal)) {
        return;
      }
      if (failure.kind === 'locked') {
        this.#locked();
        this.#pause = new AbortController();
        await wait(REFUSED_DELAY_MS, AbortSignal.any([signal, this.#pause.signal]));
        continue;
      }
      this.#broke(failure);
      await wait(backoffMs(this.#attempt), signal);
      this.#attempt += 1;
    }
  }

  /** Reads one stream to its end and tells why it ended. */
  async #watchOnce(signal: AbortSignal): Promise<LinkFailure> {
    const abort = new AbortController();
    const stop = (): void => {
      abort.abort();
    };
    signal.addEventListener('abort', stop);
    const silence = new SilenceTimer(() => {
      abort.abort(new GivenUp({ kind: 'silent', message: 'nothing arrived for 15 s' }));
    });
    const delay = new DelayWatch();
    try {
      const request = this.#resume === undefined ? {} : { resume: this.#resume };
      for await (const message of this.#client.watchConnections(request, { signal: abort.signal })) {
        silence.restart();
        this.#apply(message, delay);
      }
      return { kind: 'ended', message: 'the stream ended' };
    } catch (error) {
      const reason: unknown = abort.signal.aborted ? abort.signal.reason : error;
      return reason instanceof GivenUp ? reason.failure : toFailure(error);
    } finally {
      silence.stop();
      signal.removeEventListener('abort', stop);
      abort.abort();
    }
  }

  #apply(message: WatchConnectionsResponse, delay: DelayWatch): void {
    const nowMs = this.#now();
    const { event } = message;
    switch (event.case) {
      case 'snapshot': {
        const { first, connections } = event.value;
        this.#sink.snapshotPart(first, connections.map(toConnection));
        this.#sink.heard(nowMs, undefined);
        return;
      }
      case 'snapshotEnd': {
        const { instance, revision } = event.value;
        this.#resume = { instance, revision };
        this.#sink.snapshotEnd(this.#resume);
        this.#sink.heard(nowMs, undefined);
        this.#isLive(nowMs);
        return;
      }
      case 'changes': {
        const { instance, revision, connections, removed } = event.value;
        const sentAtMs = toMilliseconds(event.value.sentAt);
        this.#resume = { instance, revision };
        this.#sink.changes(this.#resume, connections.map(toConnection), removed);
        this.#heardLive(nowMs, sentAtMs, delay);
        return;
      }
      case 'heartbeat': {
        const { instance, revision } = event.value;
        this.#resume = { instance, revision };
        this.#heardLive(nowMs, toMilliseconds(event.value.sentAt), delay);
        return;
      }
      case undefined:
        return;
    }
  }

  /** The stream is live; one that is too far behind is given up. */
  #heardLive(nowMs: number, sentAtMs: number | undefined, delay: DelayWatch): void {
    this.#sink.heard(nowMs, sentAtMs);
    this.#isLive(nowMs);
    const lateMs = sentAtMs === undefined ? 0 : delay.measure(nowMs, sentAtMs);
    if (lateMs > DELAY_LIMIT_MS) {
      throw new GivenUp({ kind: 'stale', message: `${Math.round(lateMs / 1000)} s behind` });
    }
  }

  #isLive(nowMs: number): void {
    this.#attempt = 0;
    if (this.#state.kind !== 'live') {
      this.#setState({ kind: 'live', sinceMs: nowMs });
    }
  }

  #broke(failure: LinkFailure): void {
    const sinceMs = this.#state.kind === 'reconnecting' ? this.#state.sinceMs : this.#now();
    this.#setState({ kind: 'reconnecting', sinceMs, attempt: this.#attempt, failure });
  }

  #locked(): void {
    this.#attempt = 0;
    const sinceMs = this.#state.kind === 'locked' ? this.#state.sinceMs : this.#now();
    this.#setState({ kind: 'locked', sinceMs });
  }

  #setState(state: LinkState): void {
    this.#state = state;
    this.#sink.link(state);
  }
}

/** How late messages are, compared with the quickest of the stream: needs no common clock. */
class DelayWatch {
  #quickestMs = Number.POSITIVE_INFINITY;

  measure(nowMs: number, sentAtMs: number): number {
    const transitMs = nowMs - sentAtMs;
    this.#quickestMs = Math.min(this.#quickestMs, transitMs);
    return transitMs - this.#quickestMs;
  }
}
