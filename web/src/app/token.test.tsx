// A daemon that wants a token: the page asks for it, shows what it brings, and says what it does not.
import { Code, ConnectError, createRouterTransport, type HandlerContext } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LinkBanner } from '../components/link-banner';
import { PacketsView } from '../components/packets-view';
import { TokenForm } from '../components/token-form';
import { CONNECTIONS, PACKETS } from '../domain/place';
import { TcpViewerService, type WatchPacketsResponse } from '../gen/tcpviewer/v1/service_pb';
import { SharedFeeds } from '../rpc/shared-feeds';
import { createTcpViewerClient, withToken } from '../rpc/transport';
import { createStores, type Stores } from '../store/stores';
import { TokenStore } from '../store/token';
import { NO_RECORDER } from '../test/feeds';
import { watchMessage, wireConnection } from '../test/fixtures';
import { render } from '../test/render';
import { startSession } from './session';

describe('a daemon that wants a token', () => {
  let storage: Map<string, string>;
  let stores: Stores;
  let container: HTMLElement;
  let stop: () => void;
  let calls: (string | null)[];
  let roles: Map<string, number>;
  let withdraw: () => void;
  let withdrawn: Promise<void>;

  const check = ({ requestHeader }: HandlerContext, needed: number): void => {
    const authorization = requestHeader.get('authorization');
    calls.push(authorization);
    const role = roles.get(authorization ?? '');
    if (role === undefined) {
      throw new ConnectError('a valid token is needed', Code.Unauthenticated);
    }
    if (role < needed) {
      throw new ConnectError('this needs the role packets; yours is connections', Code.PermissionDenied);
    }
  };
  const untilAborted = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });

  function start(): void {
    const session = {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => storage.set(key, value),
      removeItem: (key: string) => storage.delete(key),
    } as unknown as Storage;
    const token = new TokenStore(session);
    const transport = createRouterTransport(
      ({ service }) => {
        service(TcpViewerService, {
          async *watchConnections(_request, context) {
            check(context, 0);
            yield watchMessage({
              case: 'snapshot',
              value: { first: true, connections: [1, 2].map(wireConnection) },
            });
            yield watchMessage({ case: 'snapshotEnd', value: { instance: 5n, revision: 1n } });
            await Promise.race([untilAborted(context.signal), withdrawn]);
            check(context, 0);
          },
          async *watchPackets(_request, context): AsyncGenerator<WatchPacketsResponse> {
            check(context, 1);
            yield { packets: [] } as unknown as WatchPacketsResponse;
            await untilAborted(context.signal);
          },
          async *watchStats(_request, context) {
            check(context, 0);
            yield { stats: { connections: 2n } };
            await Promise.race([untilAborted(context.signal), withdrawn]);
            check(context, 0);
          },
          getStatus(_request, context) {
            check(context, 0);
            return { hostName: 'test-host' };
          },
        });
      },
      { transport: { interceptors: [withToken(token.current)] } },
    );
    const feeds = new SharedFeeds(createTcpViewerClient(transport));
    stores = createStores({ feeds, recorder: NO_RECORDER, token });
    stores.place.go(CONNECTIONS);
    const stopSession = startSession(stores, feeds, document);
    stop = (): void => {
      stopSession();
      feeds.stop();
    };
    container = render(
      <>
        <LinkBanner url="http://daemon" />
        <TokenForm />
        <PacketsView
          here={PACKETS}
          paused={false}
          onPause={() => undefined}
          filterInput={{ current: null }}
        />
      </>,
      stores,
    ).container;
    // From here on, what comes from the daemon renders when it comes.
    globalThis.IS_REACT_ACT_ENVIRONMENT = false;
  }

  beforeEach(() => {
    storage = new Map();
    calls = [];
    roles = new Map([
      ['Bearer weak', 0],
      ['Bearer strong', 1],
    ]);
    withdrawn = new Promise((resolve) => {
      withdraw = (): void => {
        roles.clear();
        resolve();
      };
    });
  });

  afterEach(() => {
    stop();
    globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  });

  const form = (): HTMLFormElement | null => container.querySelector('form');
  const seen = (text: string): Promise<void> =>
    vi.waitFor(() => {
      expect(container.textContent).toContain(text);
    });
  const live = (): Promise<void> =>
    vi.waitFor(() => {
      expect(stores.link.state.kind).toBe('live');
      expect(stores.status.status?.hostName).toBe('test-host');
    });
  const enter = async (token: string): Promise<void> => {
    const input = form()?.querySelector('input') ?? null;
    const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
    if (input === null || value?.set === undefined) {
      throw new Error('there is no input');
    }
    // As typing does it: React does not notice a value that is only assigned.
    value.set.call(input, token);
    input.dispatchEvent(new Event('input', { bubbles: true }));
    await vi.waitFor(() => {
      expect(input.getAttribute('value')).toBe(token);
    });
    form()?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
  };

  it('asks for one, and asks again when it is refused', async () => {
    start();
    await seen('The daemon wants a token.');
    expect(form()?.querySelector('input')?.labels?.[0]?.textContent).toBe('Token');
    await enter('wrong');
    await seen('The daemon refuses this token.');
    await enter('two words');
    await seen('No token looks like that');
    await enter(' weak ');
    await live();
    expect(form()).toBeNull();
    await vi.waitFor(() => {
      expect(stores.table.connections.size).toBe(2);
    });
    expect(calls).not.toContain('Bearer two words');
  });

  it('does not go on asking the daemon in vain', async () => {
    start();
    await seen('The daemon wants a token.');
    const before = calls.length;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(calls).toHaveLength(before);
  });

  it('keeps the token for the tab, and takes it away when it is told to', async () => {
    storage.set('tcpviewer.token', 'strong');
    start();
    await live();
    expect(calls.every((shown) => shown === 'Bearer strong')).toBe(true);
    stores.token.forget();
    expect([...storage.keys()]).toEqual([]);
  });

  it('says in the packets view what the role does not cover, while the rest works', async () => {
    storage.set('tcpviewer.token', 'weak');
    start();
    await live();
    stores.place.go(PACKETS);
    await seen('The daemon shows no packets here: this needs the role packets; yours is connections.');
    expect(stores.link.state.kind).toBe('live');
    stores.token.set('strong');
    await seen('Waiting for the next packet.');
  });

  it('asks anew when the token is withdrawn', async () => {
    storage.set('tcpviewer.token', 'weak');
    start();
    await live();
    withdraw();
    await seen('The daemon refuses this token.');
  });
});
