// One packet stream serves what is on the screen, and none is open when nobody looks.
import { createRouterTransport } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  TcpViewerService,
  type WatchPacketsRequest,
  type WatchPacketsResponse,
} from '../gen/tcpviewer/v1/service_pb';
import { createStores, type Stores } from '../store/stores';
import { watchMessage, wireConnection } from '../test/fixtures';
import { startSession } from './session';

describe('session', () => {
  let stores: Stores;
  let stop: () => void;
  let requests: WatchPacketsRequest[];
  let open: number;

  beforeEach(async () => {
    requests = [];
    open = 0;
    const untilAborted = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
    const transport = createRouterTransport(({ service }) => {
      service(TcpViewerService, {
        async *watchConnections(_request, { signal }) {
          yield watchMessage({
            case: 'snapshot',
            value: { first: true, connections: [1, 2].map(wireConnection) },
          });
          yield watchMessage({ case: 'snapshotEnd', value: { instance: 5n, revision: 1n } });
          await untilAborted(signal);
        },
        async *watchPackets(request, { signal }): AsyncGenerator<WatchPacketsResponse> {
          requests.push(request);
          open += 1;
          await untilAborted(signal);
          open -= 1;
          yield* [];
        },
        getStatus: () => ({ hostName: 'test-host' }),
      });
    });
    stores = createStores(undefined);
    stop = startSession(stores, transport);
    await vi.waitFor(() => {
      expect(stores.live.instance).toBe(5n);
      expect(stores.status.status?.hostName).toBe('test-host');
    });
  });

  afterEach(() => {
    stop();
  });

  const isOpen = (count: number): Promise<void> =>
    vi.waitFor(() => {
      expect(open).toBe(count);
    });

  it('opens no packet stream while neither panel is open', async () => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(requests).toHaveLength(0);
  });

  it('follows the selected connection while only the details are open', async () => {
    stores.selection.select({ instance: 5n, id: 2n });
    await isOpen(1);
    expect(requests[0]).toMatchObject({ connectionId: 2n, last: 50 });
    stores.selection.select(undefined);
    await isOpen(0);
  });

  it('uses the one stream of all packets for both panels', async () => {
    stores.settings.change({ packetsOpen: true });
    await isOpen(1);
    stores.selection.select({ instance: 5n, id: 2n });
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ last: 200 });
    expect(requests[0]?.connectionId).toBeUndefined();
  });

  it('opens one stream when the user moves quickly through the rows', async () => {
    stores.selection.select({ instance: 5n, id: 1n });
    stores.selection.select({ instance: 5n, id: 2n });
    await isOpen(1);
    expect(requests).toHaveLength(1);
  });

  it('asks for no packets of a connection from another run of the daemon', async () => {
    stores.selection.select({ instance: 4n, id: 2n });
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(requests).toHaveLength(0);
  });

  it('closes everything when the page goes', async () => {
    stores.settings.change({ packetsOpen: true });
    await isOpen(1);
    stop();
    await isOpen(0);
  });
});
