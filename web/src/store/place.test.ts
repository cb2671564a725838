// Where the user is, and the address bar that follows.
import { describe, expect, it } from 'vitest';
import { OVERVIEW } from '../domain/place';
import { PlaceStore, type AddressBar } from './place';

class TestBar implements AddressBar {
  readonly urls: string[];
  #moved: () => void = () => undefined;

  constructor(url: string) {
    this.urls = [url];
  }

  readonly #url = (): URL => new URL(this.urls.at(-1) ?? '/', 'http://daemon');
  path(): string {
    return this.#url().pathname;
  }
  search(): string {
    return this.#url().search;
  }
  push(url: string): void {
    this.urls.push(url);
  }
  replace(url: string): void {
    this.urls[this.urls.length - 1] = url;
  }
  listen(moved: () => void): () => void {
    this.#moved = moved;
    return () => undefined;
  }
  back(): void {
    this.urls.pop();
    this.#moved();
  }
}

describe('PlaceStore', () => {
  it('begins where the address says', () => {
    const place = new PlaceStore(new TestBar('/connections?filter=port+443&sort=-rtt'));
    expect(place.current).toMatchObject({ view: 'connections', filter: 'port 443' });
  });

  it('goes on in the history, and comes back', () => {
    const bar = new TestBar('/');
    const place = new PlaceStore(bar);
    place.start();
    place.go({ ...place.connections, filter: 'a' });
    if (place.current.view === 'connections') {
      place.replace({ ...place.current, filter: 'ab' });
    }
    expect(bar.urls).toEqual(['/', '/connections?filter=ab']);
    bar.back();
    expect(place.current).toEqual(OVERVIEW);
  });

  it('finds a view again as it was left', () => {
    const place = new PlaceStore(new TestBar('/packets?filter=syn'));
    place.go(OVERVIEW);
    expect(place.packets.filter).toBe('syn');
  });

  it('adds nothing to the history by going where one is', () => {
    const bar = new TestBar('/');
    new PlaceStore(bar).go(OVERVIEW);
    expect(bar.urls).toEqual(['/']);
  });
});
