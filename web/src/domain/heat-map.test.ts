// Round-trip times as a grid.
import { describe, expect, it } from 'vitest';
import { stats } from '../test/fixtures';
import { heat, heatMapOf } from './heat-map';
import type { Stats } from './stats';

const at = (atMs: number, ...buckets: [number, number][]): Stats =>
  stats({
    atMs,
    rtt: {
      connections: 0,
      p50Us: 0,
      p90Us: 0,
      p99Us: 0,
      maxUs: 0,
      buckets: buckets.map(([belowUs, connections]) => ({ belowUs, connections })),
    },
  });

describe('heat map', () => {
  it('puts each count into the row of its range and the column of its time', () => {
    const map = heatMapOf([at(1000, [128, 3], [256, 0], [512, 1]), at(2000)]);
    expect(map.boundsUs.slice(0, 3)).toEqual([128, 256, 512]);
    expect(map.columns[0]?.counts.slice(0, 4)).toEqual([3, 0, 1, 0]);
    expect(map.columns[1]?.counts.every((count) => count === 0)).toBe(true);
    expect(map.highest).toBe(3);
  });

  it('has rows for what is quicker or slower than usual', () => {
    const map = heatMapOf([at(1000, [16, 1], [1_048_576, 1])]);
    expect(map.boundsUs[0]).toBe(16);
    expect(map.boundsUs.at(-1)).toBe(1_048_576);
    expect(map.columns[0]?.counts.at(-1)).toBe(1);
  });

  it('lets one connection be seen beside many', () => {
    expect(heat(0, 1000)).toBe(0);
    expect(heat(1, 1000)).toBeGreaterThan(0.25);
    expect(heat(1000, 1000)).toBe(1);
  });
});
