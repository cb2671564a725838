// The details of the selected connection, also when it is no longer listed.
import { act } from 'react';
import { describe, expect, it } from 'vitest';
import type { Stores } from '../store/stores';
import { TestFeeds, testStores } from '../test/feeds';
import { connection, half, packet } from '../test/fixtures';
import { render } from '../test/render';
import { DetailsPanel } from './details-panel';

let feeds: TestFeeds;

function storesWithSelected(instance = 1n): Stores {
  feeds = new TestFeeds();
  const stores = testStores(feeds);
  stores.selection.select({ instance, id: 1n });
  stores.selection.watch(1n);
  feeds.tell('connection', {
    kind: 'detail',
    first: true,
    connection: connection(1, {
      sent: half({ payloadBytes: 123_456, windowBytes: 65_536 }),
      closedAtMs: 1_000,
      closeReason: 'refused',
    }),
    points: [],
    packets: [],
    missedPackets: 0,
    gone: false,
  });
  return stores;
}

describe('DetailsPanel', () => {
  it('is not there while nothing is selected', () => {
    const { container } = render(<DetailsPanel />);
    expect(container.textContent).toBe('');
  });

  it('shows endpoints, exact bytes, what is not measured, and how the connection ended', () => {
    const { container } = render(<DetailsPanel />, storesWithSelected());
    expect(container.textContent).toContain('10.0.0.1:40001');
    expect(container.textContent).toContain('10.0.0.2:443');
    expect(container.textContent).toContain('123,456 B');
    expect(container.textContent).toContain('65,536 B');
    expect(container.textContent).toContain('—');
    expect(container.textContent).toContain('the destination refused it (RST to the SYN)');
  });

  it('keeps the last data of a connection that has left the list, and says so', async () => {
    const { container } = render(<DetailsPanel />, storesWithSelected());
    await act(async () => {
      feeds.tell('connection', {
        kind: 'detail',
        first: false,
        connection: undefined,
        points: [],
        packets: [],
        missedPackets: 0,
        gone: true,
      });
      await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    expect(container.textContent).toContain('no longer listed');
    expect(container.textContent).toContain('123,456 B');
  });

  it('says when a link points to a connection that is not there', () => {
    const { container } = render(<DetailsPanel />, storesWithSelected(99n));
    expect(container.textContent).toContain('This connection is not listed');
  });

  it('lists the newest packets of the connection first', () => {
    const stores = storesWithSelected();
    stores.packets.watch({ kind: 'packets', filter: '', connectionId: 1n, last: 200 });
    const packets = [packet(1, { seq: 111 }), packet(1, { seq: 222, timestampMs: Date.now() })];
    feeds.tell('packets', {
      kind: 'packets',
      batch: { packets, lostInKernel: 0, lostInStream: 0, leftOut: 0, sampling: 1 },
    });
    const { container } = render(<DetailsPanel />, stores);
    const rows = [...container.querySelectorAll('[data-testid="recent-packet"]')];
    expect(rows).toHaveLength(2);
    expect(rows[0]?.textContent).toContain('222');
  });
});
