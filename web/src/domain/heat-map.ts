// Round-trip times over time as a grid: one column per time, one row per range of RTTs, and in each cell
// how many connections lie in it.
import type { Stats } from './stats';

export interface HeatMap {
  /** Upper bounds of the rows, smallest first; each is twice the one before. */
  readonly boundsUs: readonly number[];
  readonly columns: readonly HeatColumn[];
  /** The most in any cell. */
  readonly highest: number;
}

export interface HeatColumn {
  readonly atMs: number;
  /** One per row. */
  readonly counts: readonly number[];
}

/** Rows that are always shown, so that the scale does not move with every connection: 64 µs to 256 ms. */
const ALWAYS_FROM_US = 128;
const ALWAYS_TO_US = 262_144;

export function heatMapOf(sums: readonly Stats[]): HeatMap {
  let lowest = ALWAYS_FROM_US;
  let top = ALWAYS_TO_US;
  for (const { rtt } of sums) {
    for (const { belowUs, connections } of rtt?.buckets ?? []) {
      if (connections > 0) {
        lowest = Math.min(lowest, belowUs);
        top = Math.max(top, belowUs);
      }
    }
  }
  const boundsUs: number[] = [];
  for (let bound = lowest; bound <= top; bound *= 2) {
    boundsUs.push(bound);
  }
  let highest = 0;
  const columns = sums.map(({ atMs, rtt }) => {
    const counts = Array<number>(boundsUs.length).fill(0);
    for (const { belowUs, connections } of rtt?.buckets ?? []) {
      const row = Math.round(Math.log2(belowUs / lowest));
      if (connections > 0 && row >= 0 && row < counts.length) {
        counts[row] = (counts[row] ?? 0) + connections;
        highest = Math.max(highest, counts[row] ?? 0);
      }
    }
    return { atMs, counts };
  });
  return { boundsUs, columns, highest };
}

/** How strongly a cell is drawn, from 0 to 1: by the logarithm, so that one connection is seen beside many. */
export function heat(count: number, highest: number): number {
  return count === 0 ? 0 : 0.22 + (0.78 * Math.log1p(count)) / Math.log1p(Math.max(1, highest));
}
