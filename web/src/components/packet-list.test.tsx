// The list of packets: it follows the newest one, and stands still while it is paused or a line of it has the focus.
import { act, type ReactElement } from 'react';
import { describe, expect, it } from 'vitest';
import { packet, status } from '../test/fixtures';
import { render } from '../test/render';
import { testStores } from '../test/feeds';
import { PacketList } from './packet-list';

const packets = (count: number): { number: number; packet: ReturnType<typeof packet> }[] =>
  Array.from({ length: count }, (_, index) => ({ number: index + 1, packet: packet(index + 1) }));

describe('PacketList', () => {
  it('stands still while a line has the focus, and says how much is new', () => {
    const stores = testStores();
    stores.status.take({ kind: 'status', status: status(), atMs: 0, sentAtMs: undefined });
    const list = (count: number, paused = false): ReactElement => (
      <PacketList
        packets={packets(count)}
        label="Packets"
        paused={paused}
        emptyText=""
        onFollow={() => undefined}
      />
    );
    const { container, show } = render(list(3), stores);
    const rows = (): number => container.querySelectorAll('[data-testid="packet-row"]').length;
    show(list(4));
    expect(rows()).toBe(4);
    act(() => {
      container.querySelector('a')?.focus();
    });
    show(list(6));
    expect(rows()).toBe(4);
    expect(container.querySelector('button')?.textContent).toBe('2 new packets ↓');
    act(() => {
      container.querySelector('a')?.blur();
    });
    expect(rows()).toBe(6);
    show(list(7, true));
    expect(rows()).toBe(6);
  });
});
