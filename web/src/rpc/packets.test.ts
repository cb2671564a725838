// The packet feed against a server in memory: open only while wished for, and again after a break.
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { NO_PACKETS } from '../domain/packet';
import { TcpViewerService, type WatchPacketsRequest } from '../gen/tcpviewer/v1/service_pb';
import { PacketStore } from '../store/packets';
import { PacketFeed } from './packets';
import { SILENCE_LIMIT_MS } from './silence';
import { createTcpViewerClient } from './transport';

describe('PacketFeed', () => {
  let feed: PacketFeed | undefined;

  afterEach(() => {
    feed?.watch(NO_PACKETS);
  });

  /** Sends one packet per stream; the first streams break right after it. */
  function startFeed(breaks: number): {
    store: PacketStore;
    requests: WatchPacketsRequest[];
    open: () => number;
  } {
    const requests: WatchPacketsRequest[] = [];
    let open = 0;
    const transport = createRouterTransport(({ service }) => {
      service(TcpViewerService, {
        async *watchPackets(request, { signal }) {
          requests.push(request);
          open += 1;
          yield { packets: [{ connectionId: 1n, payloadBytes: requests.length }], lostInKernel: 3n };
          if (requests.length <= breaks) {
            open -= 1;
            throw new ConnectError('gone', Code.Unavailable);
          }
          await new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              resolve();
            });
          });
          open -= 1;
        },
      });
    });
    const store = new PacketStore();
    feed = new PacketFeed(createTcpViewerClient(transport), store);
    return { store, requests, open: () => open };
  }

  it('asks for what is wished, and closes the stream when nothing is', async () => {
    const { store, requests, open } = startFeed(0);
    feed?.watch({ kind: 'connection', id: 9n, last: 50 });
    await vi.waitFor(() => {
      expect(store.ring).toHaveLength(1);
    });
    expect(requests[0]).toMatchObject({ connectionId: 9n, last: 50 });
    expect(store.lostInKernel).toBe(3);
    feed?.watch(NO_PACKETS);
    await vi.waitFor(() => {
      expect(open()).toBe(0);
    });
  });

  it('keeps its stream when the same is wished again', async () => {
    const { store, requests } = startFeed(0);
    feed?.watch({ kind: 'all', last: 200 });
    feed?.watch({ kind: 'all', last: 200 });
    await vi.waitFor(() => {
      expect(store.state).toBe('open');
    });
    expect(requests).toHaveLength(1);
  });

  it('opens the stream again after a break, at once when told that the daemon is back', async () => {
    const { store, requests } = startFeed(1);
    feed?.watch({ kind: 'all', last: 200 });
    await vi.waitFor(() => {
      expect(store.state).toBe('failed');
    });
    expect(store.ring).toHaveLength(1);
    feed?.retryNow();
    await vi.waitFor(
      () => {
        expect(requests).toHaveLength(2);
        expect(store.state).toBe('open');
      },
      { timeout: 150 },
    );
  });

  it('opens the stream again when it falls silent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { requests } = startFeed(0);
    feed?.watch({ kind: 'all', last: 200 });
    await vi.advanceTimersByTimeAsync(SILENCE_LIMIT_MS - 100);
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(requests).toHaveLength(2);
    vi.useRealTimers();
  });
});
