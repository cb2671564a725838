// Feeds shared by many listeners: one call per topic, and who comes late is told what went before.
import { createRouterTransport } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FeedMessage, Topic } from '../domain/topic';
import { TcpViewerService, type WatchPacketsRequest } from '../gen/tcpviewer/v1/service_pb';
import { watchMessage, wireConnection } from '../test/fixtures';
import { SharedFeeds } from './shared-feeds';
import { createTcpViewerClient } from './transport';

const TABLE: Topic = { kind: 'connections', filter: '', orderBy: 'rate desc', offset: 0, limit: 10 };
const PACKETS: Topic = { kind: 'packets', filter: 'syn', connectionId: undefined, last: 10 };

describe('SharedFeeds', () => {
  let feeds: SharedFeeds;
  let open: number;
  let streams: number;
  let packetRequests: WatchPacketsRequest[];

  const untilAborted = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });

  beforeEach(() => {
    open = 0;
    streams = 0;
    packetRequests = [];
    const transport = createRouterTransport(({ service }) => {
      service(TcpViewerService, {
        async *watchConnections(_request, { signal }) {
          open += 1;
          streams += 1;
          yield watchMessage({
            case: 'snapshot',
            value: { first: true, connections: [1, 2].map(wireConnection) },
          });
          yield watchMessage({ case: 'snapshotEnd', value: { instance: 5n, revision: 1n } });
          yield watchMessage({
            case: 'changes',
            value: { instance: 5n, revision: 2n, connections: [wireConnection(3)], removed: [1n] },
          });
          await untilAborted(signal);
          open -= 1;
        },
        async *watchPackets(request, { signal }) {
          packetRequests.push(request);
          open += 1;
          yield { packets: [{ connectionId: 1n }], lostInKernel: 3n };
          await untilAborted(signal);
          open -= 1;
        },
      });
    });
    feeds = new SharedFeeds(createTcpViewerClient(transport));
  });

  afterEach(() => {
    feeds.stop();
  });

  const hear = (topic: Topic): { told: FeedMessage[]; close: () => void } => {
    const told: FeedMessage[] = [];
    return { told, close: feeds.open(topic, (message) => told.push(message)) };
  };
  const kinds = (told: readonly FeedMessage[]): string[] => told.map(({ kind }) => kind);

  it('asks once for two who want the same, and tells the second what it missed', async () => {
    const first = hear(TABLE);
    await vi.waitFor(() => {
      expect(kinds(first.told)).toContain('changes');
    });
    const second = hear(TABLE);
    expect(kinds(second.told)).toEqual(['snapshot', 'snapshot-end', 'link']);
    const [snapshot] = second.told;
    expect(snapshot?.kind === 'snapshot' && snapshot.connections.map(({ id }) => id)).toEqual([2n, 3n]);
    expect(second.told.at(-1)).toMatchObject({ link: { kind: 'live' } });
    expect(streams).toBe(1);
  });

  it('goes on for a moment when the last has left, and then ends', async () => {
    const first = hear(TABLE);
    await vi.waitFor(() => {
      expect(open).toBe(1);
    });
    first.close();
    const second = hear(TABLE);
    second.close();
    expect(streams).toBe(1);
    await vi.waitFor(
      () => {
        expect(open).toBe(0);
      },
      { timeout: 3000 },
    );
  });

  it('ends a packet stream as soon as nobody watches', async () => {
    const watching = hear(PACKETS);
    await vi.waitFor(() => {
      expect(watching.told.find(({ kind }) => kind === 'packets')).toMatchObject({
        batch: { lostInKernel: 3, packets: [{ connectionId: 1n }] },
      });
    });
    expect(packetRequests[0]).toMatchObject({ filter: 'syn', last: 10 });
    watching.close();
    await vi.waitFor(() => {
      expect(open).toBe(0);
    });
  });
});
