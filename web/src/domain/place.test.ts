// A view and its URL are the same thing in two forms.
import { describe, expect, it } from 'vitest';
import { CONNECTIONS, formatPlace, parsePlace, selectedIn, type Place } from './place';

const parse = (url: string): Place => {
  const { pathname, search } = new URL(url, 'http://daemon');
  return parsePlace(pathname, search);
};

describe('place', () => {
  it.each([
    '/',
    '/connections',
    '/connections?filter=port+443+and+rtt+%3E+50ms',
    '/connections?closed=shown&sort=-rtt',
    '/connections?sort=source&selected=17&run=5',
    '/connections/17?run=5',
    '/packets',
    '/packets?filter=syn',
    '/groups?by=container',
    '/failures',
    '/failures?kind=reset',
    '/listeners',
    '/host',
    '/nowhere/at/all',
  ])('comes back to %s', (url) => {
    expect(formatPlace(parse(url))).toBe(url);
  });

  it('takes what is wrong in a query for what a fresh page has', () => {
    expect(parse('/connections?sort=-colour&selected=x&run=1')).toEqual(CONNECTIONS);
    expect(parse('/connections?selected=17')).toEqual(CONNECTIONS);
  });

  it('knows the overview by its name, and no connection without its run', () => {
    expect(parse('/overview')).toEqual({ view: 'overview' });
    expect(parse('/connections/17')).toEqual({ view: 'missing', path: '/connections/17' });
  });

  it('tells which connection is looked at', () => {
    const ref = { instance: 5n, id: 17n };
    expect(selectedIn(parse('/connections?selected=17&run=5'))).toEqual(ref);
    expect(selectedIn(parse('/connections/17?run=5'))).toEqual(ref);
    expect(selectedIn(parse('/packets'))).toBeUndefined();
  });
});
