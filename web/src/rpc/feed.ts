// Keeps one topic told for as long as the feed runs: asks again after a break, at the last revision
// held where the daemon goes on from there, notices silence and late data, and tells the state of the
// link. It never waits for its listener. Where the daemon refuses, it waits for another token.
import type { ResumePoint } from '../domain/connection';
import { CONNECTING, type LinkFailure, type LinkState } from '../domain/link';
import type { FeedBody, FeedMessage, Topic } from '../domain/topic';
import { backoffMs, GivenUp, isAborted, isRefusal, REFUSED_DELAY_MS, toFailure, wait } from './retry';
import { SilenceTimer } from './silence';
import { ask, type Told } from './sources';
import type { TcpViewerClient } from './transport';

/** Data that arrives this much later than the stream's quickest message is given up for fresh data. */
export const DELAY_LIMIT_MS = 5_000;

export class Feed {
  readonly #client: TcpViewerClient;
  readonly #topic: Topic;
  readonly #emit: (message: FeedMessage) => void;
  readonly #now: () => number;
  readonly #running = new AbortController();
  #resume: ResumePoint | undefined;
  #attempt = 0;
  #pause = new AbortController();
  #link: LinkState = CONNECTING;

  constructor(
    client: TcpViewerClient,
    topic: Topic,
    emit: (message: FeedMessage) => void,
    now: () => number = Date.now,
  ) {
    this.#client = client;
    this.#topic = topic;
    this.#emit = emit;
    this.#now = now;
    void this.#run(this.#running.signal);
  }

  stop(): void {
    this.#running.abort();
  }

  /** Ends a wait: there is another token, or the daemon is known to answer again. */
  retryNow(): void {
    if (this.#link.kind === 'locked') {
      this.#setLink(CONNECTING);
    }
    this.#pause.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const failure = await this.#askOnce(signal);
      if (isAborted(signal)) {
        return;
      }
      this.#pause = new AbortController();
      const pause = AbortSignal.any([signal, this.#pause.signal]);
      if (failure.kind === 'locked' || isRefusal(failure)) {
        this.#attempt = 0;
        this.#refused(failure);
        await wait(REFUSED_DELAY_MS, pause);
      } else {
        this.#broke(failure);
        await wait(backoffMs(this.#attempt), pause);
        this.#attempt += 1;
      }
    }
  }

  /** Reads one call to its end and tells why it ended. */
  async #askOnce(signal: AbortSignal): Promise<LinkFailure> {
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
      const call = { client: this.#client, signal: abort.signal, resume: this.#resume };
      for await (const told of ask(this.#topic, call)) {
        silence.restart();
        const lateMs = this.#take(told, delay);
        if (lateMs > DELAY_LIMIT_MS) {
          const failure = { kind: 'stale', message: `${Math.round(lateMs / 1000)} s behind` } as const;
          abort.abort(new GivenUp(failure));
          return failure;
        }
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

  /** Tells what was told, and gives how late it is. */
  #take({ body, sentAtMs, live }: Told, delay: DelayWatch): number {
    const nowMs = this.#now();
    if (body.kind === 'snapshot-end' || body.kind === 'changes' || body.kind === 'heartbeat') {
      // A stream with a filter or a limit does not resume.
      this.#resume = this.#resumes() ? body.at : undefined;
    }
    this.#tell(body, nowMs, sentAtMs);
    if (live) {
      this.#isLive(nowMs);
    }
    return sentAtMs === undefined ? 0 : delay.measure(nowMs, sentAtMs);
  }

  #resumes(): boolean {
    return this.#topic.kind === 'connections' && this.#topic.filter === '' && this.#topic.limit === 0;
  }

  #isLive(nowMs: number): void {
    this.#attempt = 0;
    if (this.#link.kind !== 'live') {
      this.#setLink({ kind: 'live', sinceMs: nowMs });
    }
  }

  #broke(failure: LinkFailure): void {
    const sinceMs = this.#link.kind === 'reconnecting' ? this.#link.sinceMs : this.#now();
    this.#setLink({ kind: 'reconnecting', sinceMs, attempt: this.#attempt, failure });
  }

  #refused(failure: LinkFailure): void {
    const kind = failure.kind === 'locked' ? 'locked' : 'refused';
    const sinceMs = this.#link.kind === kind ? this.#link.sinceMs : this.#now();
    this.#setLink(kind === 'locked' ? { kind, sinceMs } : { kind, sinceMs, failure });
  }

  #setLink(link: LinkState): void {
    this.#link = link;
    this.#tell({ kind: 'link', link }, this.#now(), undefined);
  }

  #tell(body: FeedBody, atMs: number, sentAtMs: number | undefined): void {
    this.#emit({ ...body, atMs, sentAtMs });
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
