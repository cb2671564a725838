// Which connections pass the filter.
import { describe, expect, it } from 'vitest';
import { connection } from '../test/fixtures';
import { compileFilter } from './filter';

const row = connection(1, {
  source: { address: '2001:db8::1', port: 51_000 },
  destination: { address: '10.0.0.2', port: 443 },
  interface: 'wg0',
  state: 'TIME_WAIT',
});

describe('filter', () => {
  it.each(['', 'db8::1]:51000', '10.0.0.2:443', ':443', 'WG0', 'time wait', 'time_wait', '443 wg0'])(
    'finds %j in the row',
    (text) => {
      expect(compileFilter({ text, showClosed: true })(row)).toBe(true);
    },
  );

  it.each(['80', 'eth0', 'established', '443 eth0'])('does not find %j', (text) => {
    expect(compileFilter({ text, showClosed: true })(row)).toBe(false);
  });

  it('leaves out closed connections when asked to', () => {
    const matches = compileFilter({ text: '', showClosed: false });
    expect(matches(connection(1))).toBe(true);
    expect(matches(connection(1, { closedAtMs: 1 }))).toBe(false);
  });
});
