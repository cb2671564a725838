// The field of a filter by keys: what is begun is completed, and where nothing is, Tab leads on.
import { act, createRef, useState, type ReactElement } from 'react';
import { describe, expect, it } from 'vitest';
import { render } from '../test/render';
import { FilterField } from './filter-field';

const FIELDS = [
  { name: 'rtt', type: 'time', meaning: 'round-trip time', words: [] },
  { name: 'rtt.max', type: 'time', meaning: 'largest', words: [] },
  { name: 'retransmissions', type: 'number', meaning: 'sent again', words: [] },
];

function Field({ typed }: { typed: string }): ReactElement {
  const [value, setValue] = useState(typed);
  return (
    <FilterField
      input={createRef()}
      label="Filter"
      placeholder=""
      value={value}
      problem={undefined}
      fields={FIELDS}
      known={[{ text: 'rtt > 50ms', hint: 'kept' }]}
      onChange={setValue}
    />
  );
}

/** Puts the caret at the end, and presses keys; gives what stands in the field, and whether Tab leads out of it. */
function press(typed: string, ...keys: string[]): { value: string; leaves: boolean } {
  const { container } = render(<Field typed={typed} />);
  const input = container.querySelector('input');
  let leaves = false;
  act(() => {
    input?.focus();
    input?.setSelectionRange(typed.length, typed.length);
    // By which it is noticed that the caret is elsewhere.
    input?.dispatchEvent(new KeyboardEvent('keyup', { key: 'End', bubbles: true }));
  });
  for (const key of keys) {
    act(() => {
      const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
      leaves = (input?.dispatchEvent(event) ?? false) && key === 'Tab';
    });
  }
  return { value: input?.value ?? '', leaves };
}

describe('FilterField', () => {
  it.each([
    ['retr', ['Tab'], 'retransmissions ', false],
    ['rtt > 5ms and ret', ['Tab'], 'rtt > 5ms and retransmissions ', false],
    ['rtt > 5ms and ', ['Tab'], 'rtt > 5ms and ', true],
    ['rtt', ['Tab'], 'rtt', true],
    ['', ['Tab'], '', true],
    ['', ['ArrowDown', 'Enter'], 'rtt > 50ms', false],
    ['retr', ['Escape', 'Tab'], 'retr', true],
  ])('with “%s” and %j has “%s”, and Tab leads out: %s', (typed, keys, value, leaves) => {
    expect(press(typed, ...keys)).toEqual({ value, leaves });
  });
});
