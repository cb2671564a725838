// A feed against a server in memory: resuming, snapshots, refusals, silence and late data.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createRouterTransport, type HandlerContext } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LinkState } from '../domain/link';
import {
  TcpViewerService,
  type WatchConnectionsRequest,
  type WatchConnectionsResponse,
} from '../gen/tcpviewer/v1/service_pb';
import type { ConnectionsTopic, Feeds } from '../domain/topic';
import { ConnectionStore } from '../store/connections';
import { watchMessage, wireConnection } from '../test/fixtures';
import { DELAY_LIMIT_MS, Feed } from './feed';
import { SILENCE_LIMIT_MS } from './silence';
import { createTcpViewerClient } from './transport';

type Script = (
  request: WatchConnectionsRequest,
  context: HandlerContext,
) => AsyncIterable<WatchConnectionsResponse>;

const snapshot = (ids: number[], first = true): WatchConnectionsResponse =>
  watchMessage({ case: 'snapshot', value: { first, connections: ids.map(wireConnection) } });
const end = (instance: number, revision: number): WatchConnectionsResponse =>
  watchMessage({ case: 'snapshotEnd', value: { instance: BigInt(instance), revision: BigInt(revision) } });
const changes = (revision: number, ids: number[], removed: number[] = []): WatchConnectionsResponse =>
  watchMessage({
    case: 'changes',
    value: {
      instance: 1n,
      revision: BigInt(revision),
      connections: ids.map(wireConnection),
      removed: removed.map(BigInt),
      sentAt: timestampFromMs(Date.now()),
    },
  });

async function* openUntilAborted(context: HandlerContext): AsyncGenerator<never> {
  await new Promise<void>((resolve) => {
    context.signal.addEventListener('abort', () => {
      resolve();
    });
  });
  yield* [];
}

const ALL: ConnectionsTopic = { kind: 'connections', filter: '', orderBy: '', offset: 0, limit: 0 };

/** Serves one script per stream, the last one for all that follow. */
function startFeed(
  scripts: readonly Script[],
  topic = ALL,
): {
  store: ConnectionStore;
  links: LinkState[];
  requests: WatchConnectionsRequest[];
  feed: () => Feed | undefined;
  stop: () => void;
} {
  const requests: WatchConnectionsRequest[] = [];
  const links: LinkState[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(TcpViewerService, {
      watchConnections(request, context) {
        requests.push(request);
        const script = scripts[Math.min(requests.length, scripts.length) - 1];
        if (script === undefined) {
          throw new Error('no script');
        }
        return script(request, context);
      },
    });
  });
  let feed: Feed | undefined;
  const feeds: Feeds = {
    open: (asked, listener) => {
      feed = new Feed(createTcpViewerClient(transport), asked, (message) => {
        if (message.kind === 'link') {
          links.push(message.link);
        }
        listener(message);
      });
      return () => feed?.stop();
    },
    retryNow: () => undefined,
  };
  const store = new ConnectionStore(feeds);
  store.watch(topic);
  return {
    store,
    links,
    requests,
    feed: () => feed,
    stop: () => {
      store.watch(undefined);
    },
  };
}

const ids = (store: ConnectionStore): number[] => [...store.connections.keys()].map(Number);

describe('Feed', () => {
  let running: { stop: () => void } | undefined;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'requestAnimationFrame'] });
  });

  afterEach(() => {
    running?.stop();
    vi.useRealTimers();
  });

  const settle = async (milliseconds = 0): Promise<void> => {
    await vi.advanceTimersByTimeAsync(milliseconds);
    for (let turn = 0; turn < 50; turn += 1) {
      await Promise.resolve();
    }
    await vi.advanceTimersByTimeAsync(0);
  };

  it('holds the table once the snapshot is complete, then follows changes', async () => {
    const feed = startFeed([
      async function* (_request, context) {
        yield snapshot([1, 2]);
        yield snapshot([3], false);
        yield end(1, 10);
        yield changes(11, [4], [2]);
        yield* openUntilAborted(context);
      },
    ]);
    running = feed;
    await settle();
    expect(ids(feed.store)).toEqual([1, 3, 4]);
    expect(feed.store.link.kind).toBe('live');
    expect(feed.requests[0]?.resume).toBeUndefined();
  });

  it('resumes at the last revision after a break, and keeps the rows meanwhile', async () => {
    const feed = startFeed([
      async function* () {
        await Promise.resolve();
        yield snapshot([1, 2]);
        yield end(1, 10);
        yield changes(12, [2]);
        throw new ConnectError('gone', Code.Unavailable);
      },
      async function* (_request, context) {
        yield end(1, 12);
        yield changes(13, [3]);
        yield* openUntilAborted(context);
      },
    ]);
    running = feed;
    await settle();
    expect(feed.store.link).toMatchObject({ kind: 'reconnecting', attempt: 0 });
    expect(ids(feed.store)).toEqual([1, 2]);
    await settle(300);
    expect(feed.requests[1]?.resume).toMatchObject({ instance: 1n, revision: 12n });
    expect(ids(feed.store)).toEqual([1, 2, 3]);
    expect(feed.store.link.kind).toBe('live');
  });

  it('replaces the table when another run of the daemon answers', async () => {
    const feed = startFeed([
      async function* () {
        await Promise.resolve();
        yield snapshot([1, 2]);
        yield end(1, 10);
      },
      async function* (_request, context) {
        yield snapshot([7]);
        yield end(2, 3);
        yield* openUntilAborted(context);
      },
    ]);
    running = feed;
    await settle();
    await settle(300);
    expect(ids(feed.store)).toEqual([7]);
    expect(feed.store.instance).toBe(2n);
  });

  it('throws away a snapshot that broke off and does not resume behind it', async () => {
    const feed = startFeed([
      async function* () {
        await Promise.resolve();
        yield snapshot([1]);
        throw new ConnectError('gone', Code.Unavailable);
      },
      async function* (_request, context) {
        yield* openUntilAborted(context);
      },
    ]);
    running = feed;
    await settle();
    await settle(300);
    expect(ids(feed.store)).toEqual([]);
    expect(feed.requests[1]?.resume).toBeUndefined();
  });

  it('takes a heartbeat for a sign of life, and resumes at its revision', async () => {
    const heartbeat = watchMessage({ case: 'heartbeat', value: { instance: 1n, revision: 14n } });
    const feed = startFeed([
      async function* () {
        yield snapshot([1]);
        yield end(1, 10);
        await new Promise((resolve) => setTimeout(resolve, SILENCE_LIMIT_MS - 100));
        yield heartbeat;
        await new Promise((resolve) => setTimeout(resolve, SILENCE_LIMIT_MS - 100));
        throw new ConnectError('gone', Code.Unavailable);
      },
      async function* (_request, context) {
        yield* openUntilAborted(context);
      },
    ]);
    running = feed;
    await settle();
    await settle(SILENCE_LIMIT_MS - 100);
    await settle(SILENCE_LIMIT_MS - 200);
    expect(feed.requests).toHaveLength(1);
    await settle(100);
    await settle(300);
    expect(feed.requests[1]?.resume).toMatchObject({ instance: 1n, revision: 14n });
  });

  it('gives a stream up that stays silent', async () => {
    const feed = startFeed([
      async function* (_request, context) {
        yield snapshot([1]);
        yield end(1, 10);
        yield* openUntilAborted(context);
      },
    ]);
    running = feed;
    await settle();
    await settle(SILENCE_LIMIT_MS - 100);
    expect(feed.requests).toHaveLength(1);
    await settle(200);
    expect(feed.links.at(-1)).toMatchObject({ kind: 'reconnecting', failure: { kind: 'silent' } });
    await settle(300);
    expect(feed.requests).toHaveLength(2);
  });

  it('gives a stream up whose data arrives ever later', async () => {
    const feed = startFeed([
      async function* () {
        await Promise.resolve();
        yield end(1, 10);
        yield changes(11, []);
        const late = changes(12, []);
        vi.setSystemTime(Date.now() + DELAY_LIMIT_MS + 1000);
        yield late;
      },
      async function* (_request, context) {
        yield* openUntilAborted(context);
      },
    ]);
    running = feed;
    await settle();
    expect(feed.links.at(-1)).toMatchObject({ kind: 'reconnecting', failure: { kind: 'stale' } });
    await settle(300);
    expect(feed.requests[1]?.resume).toMatchObject({ revision: 12n });
  });

  it('waits longer from attempt to attempt, and counts them', async () => {
    const feed = startFeed([
      async function* () {
        await Promise.resolve();
        yield* [];
        throw new ConnectError('gone', Code.Unavailable);
      },
    ]);
    running = feed;
    await settle();
    for (let second = 0; second < 30; second += 1) {
      await settle(1000);
    }
    expect(feed.requests.length).toBeGreaterThan(7);
    expect(feed.requests.length).toBeLessThan(14);
    expect(feed.store.link).toMatchObject({ kind: 'reconnecting', failure: { kind: 'unreachable' } });
  });

  it('asks no more once it is stopped', async () => {
    const feed = startFeed([
      async function* () {
        await Promise.resolve();
        yield end(1, 1);
      },
    ]);
    await settle();
    feed.stop();
    await settle(10_000);
    expect(feed.requests).toHaveLength(1);
  });

  it('begins anew where a stream with a filter broke off', async () => {
    const feed = startFeed(
      [
        async function* () {
          await Promise.resolve();
          yield snapshot([1]);
          yield end(1, 10);
        },
        async function* (_request, context) {
          yield* openUntilAborted(context);
        },
      ],
      { ...ALL, filter: 'port 443', orderBy: 'rtt desc', offset: 0, limit: 50 },
    );
    running = feed;
    await settle();
    await settle(300);
    expect(feed.requests[1]).toMatchObject({ filter: 'port 443', orderBy: 'rtt desc', offset: 0, limit: 50 });
    expect(feed.requests[1]?.resume).toBeUndefined();
  });

  it('does not repeat a question that was refused, until there is a reason to', async () => {
    const feed = startFeed([
      async function* () {
        await Promise.resolve();
        yield* [];
        throw new ConnectError('column 3: what', Code.InvalidArgument);
      },
    ]);
    running = feed;
    await settle(20_000);
    expect(feed.requests).toHaveLength(1);
    expect(feed.store.link).toMatchObject({
      kind: 'refused',
      failure: { kind: 'invalid', message: 'column 3: what' },
    });
    feed.feed()?.retryNow();
    await settle();
    expect(feed.requests).toHaveLength(2);
  });
});
