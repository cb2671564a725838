// Keys of several who listen: a pair of one is not two keys of another, and what is typed is none.
import { act, type ReactElement } from 'react';
import { describe, expect, it } from 'vitest';
import { render } from '../test/render';
import { useKeys } from './use-keys';

const done: string[] = [];

function Inner(): ReactElement {
  useKeys({ f: () => done.push('freeze'), j: () => done.push('next') });
  return <input aria-label="typed" />;
}

function Outer(): ReactElement {
  useKeys({ 'g f': () => done.push('failures'), t: () => done.push('theme') });
  return <Inner />;
}

describe('useKeys', () => {
  it.each([
    [['f'], ['freeze']],
    [['g', 'f'], ['failures']],
    [
      ['g', 'f', 'f'],
      ['failures', 'freeze'],
    ],
    [['g', 'j', 'j'], ['next']],
    [
      ['t', 'j'],
      ['theme', 'next'],
    ],
  ])('%j does %j', (keys, expected) => {
    done.length = 0;
    render(<Outer />);
    for (const key of keys) {
      act(() => {
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
      });
    }
    expect(done).toEqual(expected);
  });

  it('hear nothing of what is typed', () => {
    done.length = 0;
    const { container } = render(<Outer />);
    container
      .querySelector('input')
      ?.dispatchEvent(new KeyboardEvent('keydown', { key: 'f', bubbles: true }));
    expect(done).toEqual([]);
  });
});
