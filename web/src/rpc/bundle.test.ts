// Streams through one: each gets its own messages and its own end, the last one closes it, and a break ends all.
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  TcpViewerService,
  type ChangeBundleRequest,
  type WatchBundleRequest,
  type WatchBundleResponse,
} from '../gen/tcpviewer/v1/service_pb';
import { bundleMessage } from '../test/fixtures';
import { bundled } from './bundle';
import { GivenUp } from './retry';
import { createTcpViewerClient, type TcpViewerClient } from './transport';

/** The daemon's side of one bundle. */
interface Served {
  readonly request: WatchBundleRequest;
  readonly say: (number: number, message: WatchBundleResponse['message']) => void;
  readonly fail: (error: ConnectError) => void;
  isOpen: boolean;
}

const sums = (connections: number): WatchBundleResponse['message'] =>
  bundleMessage({ case: 'stats', value: { stats: { connections: BigInt(connections) } } });

describe('bundled', () => {
  let client: TcpViewerClient;
  let served: Served[];
  let changes: ChangeBundleRequest[];

  beforeEach(() => {
    served = [];
    changes = [];
    const transport = createRouterTransport(({ service }) => {
      service(TcpViewerService, {
        async *watchBundle(request, { signal }) {
          const said: ({ number: number; message: WatchBundleResponse['message'] } | ConnectError)[] = [];
          let wake = (): void => undefined;
          const add = (one: (typeof said)[number]): void => {
            said.push(one);
            wake();
          };
          const bundle: Served = {
            request,
            say: (number, message) => {
              add({ number, message });
            },
            fail: add,
            isOpen: true,
          };
          served.push(bundle);
          signal.addEventListener('abort', () => {
            bundle.isOpen = false;
            wake();
          });
          yield { number: 0, message: { case: 'opened', value: `name ${served.length}` } };
          while (!signal.aborted) {
            const next = said.shift();
            if (next instanceof ConnectError) {
              throw next;
            }
            if (next === undefined) {
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
            } else {
              yield next;
            }
          }
        },
        changeBundle(request) {
          changes.push(request);
          return {};
        },
      });
    });
    client = bundled(createTcpViewerClient(transport));
  });

  /** Listens to sums, until it is left. */
  const listen = (): {
    heard: number[];
    leave: (reason?: unknown) => void;
    ended: Promise<unknown>;
  } => {
    const heard: number[] = [];
    const abort = new AbortController();
    const run = async (): Promise<unknown> => {
      try {
        for await (const { stats } of client.watchStats({}, { signal: abort.signal })) {
          heard.push(Number(stats?.connections));
        }
        return undefined;
      } catch (error) {
        return error;
      }
    };
    const ended = run();
    return {
      heard,
      leave: (reason) => {
        abort.abort(reason);
      },
      ended,
    };
  };
  const open = async (count: number): Promise<Served> =>
    vi.waitFor(() => {
      const bundle = served[count - 1];
      if (bundle === undefined) {
        throw new Error('not open yet');
      }
      return bundle;
    });

  it('opens one stream for all, and gives each its own messages', async () => {
    const [one, other] = [listen(), listen()];
    const bundle = await open(1);
    expect(bundle.request.start.map(({ number }) => number)).toEqual([1]);
    await vi.waitFor(() => {
      expect(changes).toMatchObject([{ name: 'name 1', start: [{ number: 2 }], stop: [] }]);
    });
    bundle.say(2, sums(20));
    bundle.say(1, sums(10));
    bundle.say(1, sums(11));
    await vi.waitFor(() => {
      expect([one.heard, other.heard]).toEqual([[10, 11], [20]]);
    });
    expect(served).toHaveLength(1);
  });

  it('ends a stream as its own call would have ended, and no other', async () => {
    const [refused, other] = [listen(), listen()];
    const bundle = await open(1);
    bundle.say(1, sums(10));
    bundle.say(1, bundleMessage({ case: 'end', value: { code: Code.InvalidArgument, message: 'wrong' } }));
    expect(await refused.ended).toMatchObject({ code: Code.InvalidArgument, rawMessage: 'wrong' });
    expect(refused.heard).toEqual([10]);
    bundle.say(2, sums(20));
    bundle.say(2, bundleMessage({ case: 'end', value: {} }));
    expect(await other.ended).toBeUndefined();
    expect(other.heard).toEqual([20]);
  });

  it('tells the daemon who left, and leaves with the last', async () => {
    const [one, other] = [listen(), listen()];
    const bundle = await open(1);
    await vi.waitFor(() => {
      expect(changes).toHaveLength(1);
    });
    one.leave();
    await vi.waitFor(() => {
      expect(changes.at(-1)).toMatchObject({ stop: [1], start: [] });
    });
    expect(bundle.isOpen).toBe(true);
    other.leave();
    await vi.waitFor(() => {
      expect(bundle.isOpen).toBe(false);
    });
    listen();
    await open(2);
  });

  it('breaks for all when it breaks, and is opened again by the next', async () => {
    const [one, other] = [listen(), listen()];
    const bundle = await open(1);
    bundle.fail(new ConnectError('withdrawn', Code.Unauthenticated));
    expect(await one.ended).toMatchObject({ code: Code.Unauthenticated });
    expect(await other.ended).toMatchObject({ code: Code.Unauthenticated });
    const again = listen();
    (await open(2)).say(3, sums(30));
    await vi.waitFor(() => {
      expect(again.heard).toEqual([30]);
    });
  });

  it('is given up as a whole where one stream is late or silent', async () => {
    const [late, other] = [listen(), listen()];
    const bundle = await open(1);
    late.leave(new GivenUp({ kind: 'stale', message: '6 s behind' }));
    expect(await other.ended).toMatchObject({ code: Code.Unavailable });
    await vi.waitFor(() => {
      expect(bundle.isOpen).toBe(false);
    });
  });
});
