// What is said in words: states, the ledger and the link to the daemon.
import { describe, expect, it } from 'vitest';
import { status } from '../test/fixtures';
import { linkLabel, linkStory, skewStory, type LinkState } from './link';
import { ledgerLines, ledgerSummary } from './status';
import { STATES } from './tcp-state';

const gone: LinkState = {
  kind: 'reconnecting',
  sinceMs: 0,
  attempt: 3,
  failure: { kind: 'unreachable', message: 'network error' },
};

describe('words', () => {
  it('names every state in one group each', () => {
    expect(STATES.SYN_RECEIVED).toMatchObject({ name: 'syn received', group: 'opening' });
    expect(STATES.ESTABLISHED.group).toBe('established');
    expect(STATES.LAST_ACK.group).toBe('closing');
    expect(STATES.TIME_WAIT.group).toBe('closed');
  });

  it('calls the ledger complete until something is missing', () => {
    const { ledger } = status();
    expect(ledgerSummary({ ...ledger, packetsNotTcp: 9, packetsSeenElsewhere: 9 })).toBe('complete');
    expect(ledgerSummary({ ...ledger, connectionEventsLost: 2 })).toBe('lost 2 events');
    expect(ledgerSummary({ ...ledger, packetsMalformed: 1 })).toBe('1 not counted');
  });

  it('accounts for every packet counter of the ledger', () => {
    const ledger = { ...status().ledger };
    const reasons = Object.keys(ledger).filter((name) => /^packets(?!Seen$)/.test(name));
    expect(ledgerLines(ledger)).toHaveLength(reasons.length);
  });

  it('says plainly that the daemon is gone', () => {
    expect(linkLabel(gone)).toBe('daemon is gone');
    expect(linkStory(gone, 'http://127.0.0.1:50051', 1000, 13_000)).toBe(
      'The daemon is gone: http://127.0.0.1:50051 does not answer, last data 12 s ago, trying again (attempt 4).',
    );
  });

  it('tells of a clock that is wrong, and not of one that is nearly right', () => {
    expect(skewStory(4000)).toBeUndefined();
    expect(skewStory(3_600_000)).toMatch(/^This browser's clock is .* ahead of the daemon's/);
    expect(skewStory(-3_600_000)).toContain(' behind ');
  });

  it('does not cry out over a first hiccup', () => {
    const hiccup: LinkState = { ...gone, attempt: 0 };
    expect(linkLabel(hiccup)).toBe('reconnecting');
    expect(linkStory(hiccup, 'http://127.0.0.1', 0, 0)).toBeUndefined();
  });

  it('does not call a daemon gone that answers with an error', () => {
    const failing: LinkState = { ...gone, failure: { kind: 'error', message: 'no permission' } };
    expect(linkLabel(failing)).toBe('reconnecting');
    expect(linkStory(failing, 'http://127.0.0.1', undefined, 0)).toBe(
      'The daemon answers with an error: no permission, no data yet, trying again (attempt 4).',
    );
  });
});
