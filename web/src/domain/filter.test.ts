// What the daemon is asked, and where a mistake stands in what was typed.
import { describe, expect, it } from 'vitest';
import { filterOf, narrowed, problemOf } from './filter';

describe('filter', () => {
  it.each([
    ['', true, ''],
    [' port 443 ', true, 'port 443'],
    ['', false, 'open or idle < 10s'],
    ['port 80 or 443', false, '(open or idle < 10s) and (port 80 or 443)'],
  ])('asks for %j with closed ones %s as %j', (typed, showClosed, asked) => {
    expect(filterOf(typed, showClosed)).toBe(asked);
  });

  it('finds the place of a mistake again, whatever was put before the text', () => {
    const message = 'filter: column 29: connections have no field `prot`';
    expect(problemOf('column 3: what', '  prot == 1', true)).toEqual({ column: 4, message: 'what' });
    expect(problemOf(message, 'a prot', false)).toEqual({
      column: 2,
      message: 'connections have no field `prot`',
    });
  });

  it('shows words without a place at the beginning', () => {
    expect(problemOf('too long', 'port', true)).toEqual({ column: 0, message: 'too long' });
  });

  it.each([
    ['', 'port == 443', 'port == 443'],
    ['open', 'port == 443', 'open and port == 443'],
    ['open and port == 443', 'port == 443', 'open and port == 443'],
    ['port 80 or port 443', 'open', '(port 80 or port 443) and open'],
  ])('narrows %j by %j to %j', (filter, by, both) => {
    expect(narrowed(filter, by)).toBe(both);
  });
});
