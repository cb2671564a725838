// Verdicts in a badge, and as a filter.
import { describe, expect, it } from 'vitest';
import { verdict } from '../test/fixtures';
import { filterOfVerdict, verdictTone, verdictWord } from './verdict';

describe('verdict', () => {
  it.each([
    [verdict('healthy'), 'healthy', 'good', 'verdict == healthy'],
    [verdict('idle'), 'idle', 'still', 'verdict == idle'],
    [verdict('network', 'loss'), 'loss', 'bad', 'verdict.cause == loss'],
    [verdict('network', 'round-trip'), 'slow path', 'warn', 'verdict.cause == round-trip'],
    [verdict('peer', 'not-reading'), 'not reading', 'bad', 'verdict.cause == not-reading'],
    [verdict('backlog', 'queue-full'), 'queue full', 'bad', 'verdict.cause == queue-full'],
    [verdict('unknown'), 'unknown', 'still', undefined],
  ])('has a word, a tone and a filter: %#', (judged, word, tone, filter) => {
    expect(verdictWord(judged)).toBe(word);
    expect(verdictTone(judged)).toBe(tone);
    expect(filterOfVerdict(judged)).toBe(filter);
  });
});
