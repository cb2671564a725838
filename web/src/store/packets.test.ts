// The packet ring, and the packets of the connection in focus.
import { describe, expect, it } from 'vitest';
import { packet, START_MS } from '../test/fixtures';
import { PacketStore, RING_SIZE } from './packets';

const batch = (...packets: ReturnType<typeof packet>[]): Parameters<PacketStore['batch']>[0] => ({
  packets,
  lostInKernel: 0,
  lostInStream: 0,
});

describe('PacketStore', () => {
  it('keeps the newest packets and numbers all of them', () => {
    const store = new PacketStore();
    store.begin();
    store.batch(batch(...Array.from({ length: RING_SIZE + 5 }, () => packet(1))));
    expect(store.ring).toHaveLength(RING_SIZE);
    expect(store.ring.at(-1)?.number).toBe(RING_SIZE + 5);
  });

  it('takes the packets at hand over when a connection comes into focus, then follows it', () => {
    const store = new PacketStore();
    store.begin();
    store.batch(batch(packet(1), packet(2)));
    store.setFocus(2n);
    store.batch(batch(packet(1), packet(2, { timestampMs: START_MS + 1 })));
    expect(store.recent).toHaveLength(2);
  });

  it('shows no packet twice when another stream begins with those at hand', () => {
    const store = new PacketStore();
    const old = [packet(2, { timestampMs: START_MS }), packet(2, { timestampMs: START_MS + 1 })];
    store.setFocus(2n);
    store.begin();
    store.batch(batch(...old));
    store.begin();
    store.batch(batch(...old, packet(2, { timestampMs: START_MS + 2 })));
    expect(store.recent.map((entry) => entry.packet.timestampMs - START_MS)).toEqual([0, 1, 2]);
  });

  it('keeps what it shows of a connection whose id means another one now', () => {
    const store = new PacketStore();
    store.setFocus(2n);
    store.begin();
    store.batch(batch(packet(2)));
    store.endFocus();
    store.batch(batch(packet(2, { timestampMs: START_MS + 9 })));
    expect(store.recent).toHaveLength(1);
    store.setFocus(undefined);
    expect(store.recent).toHaveLength(0);
  });

  it('reports what was lost', () => {
    const store = new PacketStore();
    store.begin();
    store.batch({ packets: [], lostInKernel: 3, lostInStream: 4 });
    expect([store.lostInKernel, store.lostInStream]).toEqual([3, 4]);
    store.restart();
    expect([store.lostInKernel, store.lostInStream]).toEqual([0, 0]);
  });
});
