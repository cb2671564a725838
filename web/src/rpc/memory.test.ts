// What a late listener is told of a feed.
import { describe, expect, it } from 'vitest';
import { START_MS, stats } from '../test/fixtures';
import { FeedMemory } from './memory';

describe('FeedMemory', () => {
  it('keeps the groups of the newest sums only', () => {
    const memory = new FeedMemory();
    const groups = [{ by: 'port' as const, groups: [], more: 0 }];
    for (const atMs of [1, 2, 3]) {
      memory.take({ kind: 'stats', stats: stats({ atMs, groups }), atMs: 0, sentAtMs: undefined });
    }

    const told = memory
      .tell(START_MS)
      .flatMap((message) => (message.kind === 'stats' ? [message.stats] : []));

    expect(told.map(({ atMs, groups: { length } }) => [atMs, length])).toEqual([
      [1, 0],
      [2, 0],
      [3, 1],
    ]);
  });
});
