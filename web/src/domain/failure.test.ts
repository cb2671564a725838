// Every way to end is either good or one of the failures, and each failure has a filter.
import { describe, expect, it } from 'vitest';
import { connection } from '../test/fixtures';
import { CLOSE_REASON_WORDS, kernelWords, type CloseReason } from './connection';
import { failureOf, filterOfFailure } from './failure';

describe('failure', () => {
  it('is every end but that by which both ends finished', () => {
    const reasons = Object.keys(CLOSE_REASON_WORDS) as CloseReason[];
    expect(reasons.filter((reason) => failureOf(reason) === undefined)).toEqual(['none', 'fin']);
  });

  it('has what the kernel said of it', () => {
    const reset = { sender: 'destination', reason: 'NO_SOCKET' } as const;
    const refused = connection(1, { sourceError: 'ECONNREFUSED', reset });
    expect(kernelWords(refused)).toBe('ECONNREFUSED at the source, reset by the destination for NO_SOCKET');
    expect(kernelWords(connection(2))).toBe('');
  });

  it('has a filter', () => {
    expect(filterOfFailure('reset')).toBe('close_reason in {reset-by-source, reset-by-destination}');
    expect(filterOfFailure('all')).toContain('handshake-timeout');
  });
});
