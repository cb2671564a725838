// The cursor of a chart by keys: from the newest time back, to the ends, and away again.
import { act } from 'react';
import { describe, expect, it } from 'vitest';
import { render } from '../test/render';
import { TimeCursor } from './time-cursor';

describe('TimeCursor', () => {
  it('walks from the newest time, stays within, and is left by Escape', () => {
    const moves: (number | undefined)[] = [];
    const { container } = render(
      <TimeCursor label="Throughput" words="12:00:00" count={20} onMove={(index) => moves.push(index)}>
        chart
      </TimeCursor>,
    );
    const slider = container.querySelector('[role=slider]');
    for (const key of [
      'ArrowLeft',
      'ArrowLeft',
      'ArrowRight',
      'ArrowRight',
      'PageUp',
      'PageUp',
      'End',
      'Home',
    ]) {
      act(() => {
        slider?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      });
    }
    act(() => {
      slider?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    });
    expect(moves).toEqual([19, 18, 19, 19, 9, 0, 19, 0, undefined]);
  });
});
