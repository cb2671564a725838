// Which phases a connection went through, told by the packets that were remembered of it.
import { describe, expect, it } from 'vitest';
import { connection, START_MS } from '../test/fixtures';
import type { NotablePacket } from './history';
import { timelineOf } from './timeline';

const packet = (atMs: number, values: Partial<NotablePacket>): NotablePacket => ({
  timestampMs: START_MS + atMs,
  fromSource: true,
  notableFor: [],
  flags: ['ACK'],
  seq: 1,
  ack: 1,
  window: 512,
  payloadBytes: 0,
  ...values,
});
const SYN = packet(0, { notableFor: ['handshake'], flags: ['SYN'] });
const SYN_ACK = packet(20, { notableFor: ['handshake'], flags: ['SYN', 'ACK'], fromSource: false });
const ACK = packet(21, { notableFor: ['handshake'] });
const AGAIN = packet(500, { notableFor: ['retransmission'], payloadBytes: 1000 });
const FIN = packet(900, { flags: ['FIN', 'ACK'] });

/** Kinds with their beginning and end, in milliseconds since the first packet. */
const phases = (...of: Parameters<typeof timelineOf>): string[] =>
  timelineOf(...of).phases.map(({ kind, fromMs, toMs }) => `${kind} ${fromMs - START_MS}-${toMs - START_MS}`);

describe('timeline', () => {
  it('has the opening, the life and the end of a whole connection', () => {
    const ended = connection(1, { closedAtMs: START_MS + 940, closeReason: 'fin', state: 'TIME_WAIT' });
    const packets = [SYN, SYN_ACK, ACK, AGAIN, FIN];
    expect(phases(ended, packets, START_MS + 5000)).toEqual([
      'opening 0-21',
      'open 21-900',
      'closing 900-940',
    ]);
    expect(timelineOf(ended, packets, 0).moments).toEqual([{ atMs: START_MS + 500, kind: 'retransmission' }]);
  });

  it('has one phase where the connection was met open and lives', () => {
    const joined = connection(1, { orientation: 'ports' });
    expect(phases(joined, [], START_MS + 700)).toEqual(['open 0-700']);
  });

  it('never leaves the opening where nobody answered', () => {
    const failed = connection(1, {
      state: 'SYN_SENT',
      closedAtMs: START_MS + 3000,
      closeReason: 'handshake-timeout',
    });
    expect(phases(failed, [SYN], START_MS + 9000)).toEqual(['opening 0-3000']);
  });

  it('is not open where the SYN was refused', () => {
    const refused = connection(1, {
      state: 'CLOSED',
      closedAtMs: START_MS + 20,
      closeReason: 'refused',
    });
    const rst = packet(20, { notableFor: ['handshake'], flags: ['RST', 'ACK'], fromSource: false });
    expect(phases(refused, [SYN, rst], START_MS + 9000)).toEqual(['opening 0-20']);
  });

  it('takes the handshake from its round trip where its packets were forgotten', () => {
    const old = connection(1, {
      handshake: { rttUs: 30_000, synToSynAckUs: undefined, synAckToAckUs: undefined },
    });
    expect(phases(old, [], START_MS + 100)).toEqual(['opening 0-30', 'open 30-100']);
  });
});
