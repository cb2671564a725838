// The part of a long table that is asked for follows the screen, in steps.
import { describe, expect, it } from 'vitest';
import { ViewportStore, WINDOW_ROWS } from './viewport';

describe('ViewportStore', () => {
  it('asks for nothing new by a little scrolling', () => {
    const viewport = new ViewportStore();
    for (let first = 0; first < 60; first += 5) {
      viewport.show(first, first + 30);
    }
    expect(viewport.offset).toBe(0);
  });

  it('has what is on the screen within what is asked for, wherever it is', () => {
    const viewport = new ViewportStore();
    for (const first of [0, 90, 170, 171, 5000, 999_970, 3, 640]) {
      viewport.show(first, first + 40);
      expect(viewport.offset).toBeLessThanOrEqual(first);
      expect(viewport.offset + WINDOW_ROWS).toBeGreaterThan(first + 40);
    }
  });

  it('begins at the top again', () => {
    const viewport = new ViewportStore();
    viewport.show(5000, 5040);
    viewport.reset();
    expect(viewport.offset).toBe(0);
  });
});
