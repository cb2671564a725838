// What the host did lately: one point per second, ten minutes of them, and rates of one run only.
import { describe, expect, it } from 'vitest';
import type { Status } from '../domain/status';
import { START_MS, stats, status } from '../test/fixtures';
import { KEPT_MS, OverviewStore } from './overview';

const told = (value: Status): Parameters<OverviewStore['take']>[0] => ({
  kind: 'status',
  status: value,
  atMs: 0,
  sentAtMs: undefined,
});

describe('OverviewStore', () => {
  it('makes rates of what two statuses counted', () => {
    const store = new OverviewStore();
    const { connections } = status();
    store.take(told(status({ nowMs: START_MS })));
    store.take(
      told(
        status({
          nowMs: START_MS + 2000,
          connections: { ...connections, openedTotal: 10, closedTotal: 4, failedTotal: 2 },
          totals: { packets: 1000, payloadBytes: 0, retransmissions: 20 },
        }),
      ),
    );
    expect(store.rates).toEqual([
      {
        atMs: START_MS + 2000,
        openedPerSecond: 5,
        closedPerSecond: 2,
        failedPerSecond: 1,
        resetPerSecond: 0,
        retransmissionsPerSecond: 10,
        retransmissionShare: 0.02,
      },
    ]);
  });

  it('makes no rate across a restart of the daemon, and none without time in between', () => {
    const store = new OverviewStore();
    store.take(told(status({ instance: 1n, nowMs: START_MS })));
    store.take(told(status({ instance: 2n, nowMs: START_MS + 1000 })));
    store.take(told(status({ instance: 2n, nowMs: START_MS + 1001 })));
    expect(store.rates).toEqual([]);
  });

  it('keeps the groups of the newest sums, and of no others', () => {
    const store = new OverviewStore();
    const groups = [{ by: 'port' as const, groups: [], more: 0 }];
    for (const atMs of [START_MS, START_MS + 1000]) {
      store.take({ kind: 'stats', stats: stats({ atMs, groups }), atMs: 0, sentAtMs: undefined });
    }
    expect(store.sums.map((sums) => sums.groups)).toEqual([[], groups]);
  });

  it('keeps ten minutes, and begins anew when the clock was set back', () => {
    const store = new OverviewStore();
    const at = (atMs: number): void => {
      store.take({ kind: 'stats', stats: stats({ atMs }), atMs: 0, sentAtMs: undefined });
    };
    for (let second = 0; second <= 700; second += 1) {
      at(START_MS + second * 1000);
    }
    expect(store.sums).toHaveLength(KEPT_MS / 1000 + 1);
    at(START_MS);
    expect(store.sums).toHaveLength(1);
  });
});
