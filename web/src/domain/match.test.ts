// Commands are found by what was typed.
import { describe, expect, it } from 'vitest';
import { matchScore } from './match';

describe('matchScore', () => {
  it('wants every word', () => {
    expect(matchScore('Go to packets', 'pack go')).toBeDefined();
    expect(matchScore('Go to packets', 'go theme')).toBeUndefined();
  });

  it('prefers the beginning of a word', () => {
    const start = matchScore('Dark theme', 'the') ?? 0;
    const middle = matchScore('Another', 'the') ?? 0;
    expect(start).toBeGreaterThan(middle);
  });
});
