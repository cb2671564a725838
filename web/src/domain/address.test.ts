// What a shared URL says about the view.
import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress, type Address } from './address';
import { DEFAULT_SORT } from './sort';

describe('address', () => {
  it('writes nothing for a fresh page', () => {
    expect(formatAddress(parseAddress(''))).toBe('');
  });

  it('reads back what it writes', () => {
    const address: Address = {
      filter: { text: 'wg0 :443', showClosed: false },
      sort: { column: 'rtt', direction: 'descending' },
      selection: { instance: 2n ** 64n - 1n, id: 12n },
    };
    expect(parseAddress(formatAddress(address))).toEqual(address);
  });

  it.each(['?sort=nonsense', '?connection=12', '?connection=a.b', '?connection=1.2.3'])(
    'takes %s for a fresh page',
    (search) => {
      const address = parseAddress(search);
      expect(address.sort).toEqual(DEFAULT_SORT);
      expect(address.selection).toBeUndefined();
    },
  );
});
