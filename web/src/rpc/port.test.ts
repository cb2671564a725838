// Feeds across a port: what pages ask reaches the feeds of their token, and what these tell comes back.
import { beforeEach, describe, expect, it } from 'vitest';
import type { FeedMessage, Topic } from '../domain/topic';
import { TestFeeds } from '../test/feeds';
import { connection } from '../test/fixtures';
import { PortFeeds, servePage, type PortEnd } from './port';

type Listener = (event: MessageEvent) => void;

/** Two ends that hand each other copies, as a browser does. */
function ports(): [PortEnd, PortEnd] {
  const listeners: [Listener[], Listener[]] = [[], []];
  const end = (mine: Listener[], other: Listener[]): PortEnd => ({
    postMessage: (message) => {
      for (const listener of other) {
        listener({ data: structuredClone(message) } as MessageEvent);
      }
    },
    addEventListener: (_kind, listener) => {
      mine.push(listener);
    },
  });
  return [end(...listeners), end(listeners[1], listeners[0])];
}

const TABLE: Topic = { kind: 'connections', filter: '', orderBy: 'rate desc', offset: 0, limit: 200 };

describe('feeds across a port', () => {
  let byToken: Map<string | undefined, TestFeeds>;
  let page: PortFeeds;
  let leave: () => void;

  beforeEach(() => {
    byToken = new Map();
    const [here, there] = ports();
    leave = servePage(there, (token) => {
      const feeds = byToken.get(token) ?? new TestFeeds();
      byToken.set(token, feeds);
      return feeds;
    });
    page = new PortFeeds(here);
    page.setToken('one');
  });

  const topics = (token: string): number => byToken.get(token)?.topics('connections').length ?? 0;

  it('tells what the feeds tell, and no more once it is closed', () => {
    const told: FeedMessage[] = [];
    const close = page.open(TABLE, (message) => told.push(message));
    byToken.get('one')?.snapshot([connection(7)]);
    expect(told.map(({ kind }) => kind)).toEqual(['snapshot', 'snapshot-end']);
    expect(told[0]).toMatchObject({ connections: [{ id: 7n }] });
    close();
    expect(topics('one')).toBe(0);
  });

  it('keeps two that ask for the same apart', () => {
    const [first, second]: [FeedMessage[], FeedMessage[]] = [[], []];
    const close = page.open(TABLE, (message) => first.push(message));
    page.open(TABLE, (message) => second.push(message));
    close();
    byToken.get('one')?.snapshot([]);
    expect([first.length, second.length]).toEqual([0, 2]);
  });

  it('asks everything again with another token', () => {
    page.open(TABLE, () => undefined);
    page.setToken('two');
    expect([topics('one'), topics('two')]).toEqual([0, 1]);
    page.retryNow();
    expect(byToken.get('two')?.retries).toBe(1);
  });

  it('leaves nothing behind when the page goes, or crashes', () => {
    page.open(TABLE, () => undefined);
    page.leave();
    expect(topics('one')).toBe(0);
    page.open(TABLE, () => undefined);
    leave();
    expect(topics('one')).toBe(0);
  });
});
