// What is unhealthy now: the worst first, by a word and a number, and a way to each and to all.
import { act } from 'react';
import { describe, expect, it } from 'vitest';
import { TestFeeds, testStores } from '../test/feeds';
import { connection, verdict } from '../test/fixtures';
import { render } from '../test/render';
import { Unhealthy } from './unhealthy';

const WORST = {
  kind: 'connections',
  filter: '',
  orderBy: 'verdict.severity desc',
  offset: 0,
  limit: 8,
} as const;

describe('Unhealthy', () => {
  it('names the worst in the order of the daemon, by what is wrong and the number that says so', async () => {
    const feeds = new TestFeeds();
    const stores = testStores(feeds);
    stores.unhealthy.watch(WORST);
    const { container } = render(<Unhealthy />, stores);
    await act(async () => {
      feeds.snapshot([
        connection(2, {
          verdict: {
            ...verdict('network', 'loss'),
            text: 'packets are lost: 3.1 % sent again',
            evidence: [{ name: 'retransmitted_percent', text: '3.1 % sent again' }],
          },
        }),
        connection(1, { verdict: verdict('network', 'round-trip') }),
      ]);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    const rows = [...container.querySelectorAll('tbody tr')].map((row) => row.textContent);
    expect(rows).toEqual([
      expect.stringContaining('loss3.1 % sent again'),
      expect.stringContaining('slow path'),
    ]);
    expect(container.querySelector('[data-testid="verdict"]')?.getAttribute('title')).toBe(
      'the network between the ends: packets are lost: 3.1 % sent again',
    );
  });

  it('says so where nothing is wrong', async () => {
    const feeds = new TestFeeds();
    const stores = testStores(feeds);
    stores.unhealthy.watch(WORST);
    const { container } = render(<Unhealthy />, stores);
    await act(async () => {
      feeds.snapshot([]);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    expect(container.textContent).toContain('Nothing is wrong with any open connection.');
  });
});
