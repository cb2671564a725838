// Every way to end is either good or one of the failures, and each failure has a filter.
import { describe, expect, it } from 'vitest';
import { CLOSE_REASON_WORDS, type CloseReason } from './connection';
import { failureOf, filterOfFailure } from './failure';

describe('failure', () => {
  it('is every end but that by which both ends finished', () => {
    const reasons = Object.keys(CLOSE_REASON_WORDS) as CloseReason[];
    expect(reasons.filter((reason) => failureOf(reason) === undefined)).toEqual(['none', 'fin']);
  });

  it('has a filter', () => {
    expect(filterOfFailure('reset')).toBe('close_reason in {reset-by-source, reset-by-destination}');
    expect(filterOfFailure('all')).toContain('handshake-timeout');
  });
});
