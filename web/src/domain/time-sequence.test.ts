// Packets as marks in time and sequence numbers.
import { describe, expect, it } from 'vitest';
import { packet, START_MS } from '../test/fixtures';
import type { NotablePacket } from './history';
import { timeSequenceOf } from './time-sequence';

const SOURCE = { address: '10.0.0.1', port: 40_000 };
const DESTINATION = { address: '10.0.0.2', port: 443 };
const back = { source: DESTINATION, destination: SOURCE };

const remembered = (atMs: number, seq: number): NotablePacket => ({
  timestampMs: START_MS + atMs,
  fromSource: true,
  notableFor: ['retransmission'],
  flags: ['ACK'],
  seq,
  ack: 1,
  window: 512,
  payloadBytes: 100,
});

describe('time-sequence', () => {
  it('has a mark for each segment and each acknowledgement of one direction', () => {
    const marks = timeSequenceOf(
      [
        packet(1, { seq: 1000, payloadBytes: 100, timestampMs: START_MS }),
        packet(1, { seq: 1100, payloadBytes: 100, timestampMs: START_MS + 1 }),
        packet(1, { ...back, seq: 5, ack: 1100, timestampMs: START_MS + 9 }),
        packet(1, { seq: 1100, payloadBytes: 100, retransmission: true, timestampMs: START_MS + 20 }),
      ],
      SOURCE,
    );
    expect(marks?.segments.map(({ from, to, again }) => [from, to, again])).toEqual([
      [0, 100, false],
      [100, 200, false],
      [100, 200, true],
    ]);
    expect(marks?.acks).toEqual([{ atMs: START_MS + 9, at: 100 }]);
    expect(marks?.highest).toBe(200);
  });

  it('goes on where sequence numbers wrap, and below the first packet', () => {
    const marks = timeSequenceOf(
      [
        packet(1, { seq: 4_294_967_290, payloadBytes: 10 }),
        packet(1, { seq: 4, payloadBytes: 10 }),
        packet(1, { seq: 4_294_967_280, payloadBytes: 10, retransmission: true }),
      ],
      SOURCE,
    );
    expect(marks?.segments.map(({ from }) => from)).toEqual([10, 20, 0]);
  });

  it('has what was sent again before anybody watched, and nothing twice', () => {
    const marks = timeSequenceOf(
      [
        packet(1, { seq: 1000, payloadBytes: 100, timestampMs: START_MS }),
        packet(1, { seq: 1000, payloadBytes: 100, retransmission: true, timestampMs: START_MS + 50 }),
      ],
      SOURCE,
      [remembered(-40, 500), remembered(50.4, 1000)],
    );
    expect(marks?.segments.map(({ from, again }) => [from, again])).toEqual([
      [0, true],
      [500, false],
      [500, true],
    ]);
  });

  it('is nothing where nothing was sent', () => {
    expect(timeSequenceOf([packet(1)], SOURCE)).toBeUndefined();
  });

  it('keeps the room for what was watched where something was sent again long before', () => {
    const marks = timeSequenceOf(
      [
        packet(1, { seq: 9000, payloadBytes: 100, timestampMs: START_MS }),
        packet(1, { seq: 9100, payloadBytes: 100, timestampMs: START_MS + 50 }),
      ],
      SOURCE,
      [remembered(-60_000, 500), remembered(-51, 600)],
    );
    expect(marks?.segments.map(({ from }) => from)).toEqual([0, 100]);
    expect(marks?.earlier).toHaveLength(2);
    expect([marks?.fromMs, marks?.highest]).toEqual([START_MS, 200]);
  });

  it('shows what was sent again long before where nothing was watched', () => {
    const marks = timeSequenceOf([], SOURCE, [remembered(-60_000, 500), remembered(-10, 600)]);
    expect(marks?.segments).toHaveLength(2);
    expect(marks?.earlier).toEqual([]);
  });
});
