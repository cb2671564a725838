// What is told of a listener's queues, and which listener is told first.
import { describe, expect, it } from 'vitest';
import { listener } from '../test/fixtures';
import { filterOfListener, listenerTrouble, queueShare, worstListenersFirst } from './listener';

describe('listener', () => {
  it.each([
    [0, 128, 0],
    [64, 127, 0.5],
    [129, 128, 1],
    [1, 0, 1],
    [3, undefined, undefined],
  ])('with %d of %s in the queue is %s full', (acceptQueue, acceptQueueLimit, share) => {
    expect(queueShare(listener(80, { acceptQueue, acceptQueueLimit }))).toBe(share);
  });

  it('that fills up is worse than one that dropped something once', () => {
    const fine = listener(22);
    const dropped = listener(80, { drops: 7 });
    const full = listener(443, { acceptQueue: 129 });
    expect(worstListenersFirst([fine, dropped, full])).toEqual([full, dropped, fine]);
    expect([fine, dropped, full].map(listenerTrouble)).toEqual([undefined, 'dropped', 'filling']);
  });

  it('of any address is asked for by its port alone', () => {
    expect(filterOfListener(listener(80))).toBe('open and destination.port == 80');
    const local = listener(80, { address: { address: '127.0.0.1', port: 80 } });
    expect(filterOfListener(local)).toBe('open and destination.host == 127.0.0.1 and destination.port == 80');
  });
});
