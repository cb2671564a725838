// Verdicts in a badge, as a filter, and in the order of their gravity.
import { describe, expect, it } from 'vitest';
import { connection, verdict } from '../test/fixtures';
import { filterOfVerdict, isUnhealthy, verdictTone, verdictWord, worstFirst } from './verdict';

describe('verdict', () => {
  it.each([
    [verdict('healthy'), 'healthy', 'good', 'verdict == healthy', false],
    [verdict('idle'), 'idle', 'still', 'verdict == idle', false],
    [verdict('network', 'loss'), 'loss', 'bad', 'verdict.cause == loss', true],
    [verdict('network', 'round-trip'), 'slow path', 'warn', 'verdict.cause == round-trip', true],
    [verdict('peer', 'not-reading'), 'not reading', 'warn', 'verdict.cause == not-reading', true],
    [verdict('backlog', 'queue-full'), 'queue full', 'bad', 'verdict.cause == queue-full', true],
    [verdict('unknown'), 'unknown', 'still', undefined, false],
  ])('has a word, a tone and a filter: %#', (judged, word, tone, filter, unhealthy) => {
    expect(verdictWord(judged)).toBe(word);
    expect(verdictTone(judged)).toBe(tone);
    expect(filterOfVerdict(judged)).toBe(filter);
    expect(isUnhealthy(judged)).toBe(unhealthy);
  });

  it('puts the worst first and leaves out with whom nothing is wrong', () => {
    const judged = [
      connection(1, { verdict: verdict('network', 'round-trip') }),
      connection(2, { verdict: verdict('healthy') }),
      connection(3, { verdict: verdict('network', 'loss') }),
      connection(4),
      connection(5, { verdict: verdict('peer', 'not-reading') }),
      connection(6, { verdict: verdict('network', 'loss') }),
    ];
    expect(worstFirst(judged).map(({ id }) => id)).toEqual([3n, 6n, 5n, 1n]);
  });
});
