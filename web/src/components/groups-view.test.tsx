// The view of groups: names are links to what they were grouped by, also while others are asked for.
import { act } from 'react';
import { describe, expect, it } from 'vitest';
import { GROUPS } from '../domain/place';
import { TestFeeds, testStores } from '../test/feeds';
import { stats } from '../test/fixtures';
import { render } from '../test/render';
import { GroupsView } from './groups-view';

const PYTHON = {
  name: 'python3',
  connections: 3,
  sentBytesPerSecond: 2000,
  receivedBytesPerSecond: 1000,
  packetsPerSecond: 10,
  payloadBytes: 4000,
  retransmissions: 1,
  rttUs: 250,
};

describe('GroupsView', () => {
  it('keeps what groups are by until those by something else come', async () => {
    const feeds = new TestFeeds();
    const stores = testStores(feeds);
    stores.groups.watch('process');
    const { container } = render(<GroupsView here={{ ...GROUPS, by: 'port' }} />, stores);
    await act(async () => {
      feeds.tell('groups', {
        kind: 'stats',
        stats: stats({ groups: [{ by: 'process', groups: [PYTHON], more: 0 }] }),
      });
      await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    const link = container.querySelector('tbody a')?.getAttribute('href');
    expect(new URLSearchParams(link?.split('?')[1]).get('filter')).toBe('open and process == "python3"');
    expect(container.querySelector('th')?.textContent).toBe('Process');
  });

  it('sums up what it lists', async () => {
    const feeds = new TestFeeds();
    const stores = testStores(feeds);
    stores.groups.watch('process');
    const { container } = render(<GroupsView here={GROUPS} />, stores);
    await act(async () => {
      feeds.tell('groups', {
        kind: 'stats',
        stats: stats({
          groups: [{ by: 'process', groups: [PYTHON, { ...PYTHON, name: 'nginx' }], more: 5 }],
        }),
      });
      await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    const totals = [...container.querySelectorAll('tfoot td')].map((cell) => cell.textContent);
    expect(totals.slice(0, 2)).toEqual(['6', '4.00 KB/s']);
    expect(container.textContent).toContain('and 5 quieter groups more');
  });
});
