// The command palette: narrowed down by typing, walked by arrow keys, which go round, and run by Enter.
import { act } from 'react';
import { describe, expect, it } from 'vitest';
import { render } from '../test/render';
import { CommandPalette, type Command } from './command-palette';

describe('CommandPalette', () => {
  it('runs what is chosen, and closes before', () => {
    const done: string[] = [];
    const command = (name: string): Command => ({ name, run: () => done.push(name) });
    const { container } = render(
      <CommandPalette
        commands={['Go to packets', 'Go to the host', 'Dark theme'].map(command)}
        commandsFor={(typed) => (typed === '443' ? [command('Show port 443')] : [])}
        onClose={() => done.push('closed')}
      />,
    );
    const input = container.querySelector('input');
    const press = (...keys: string[]): void => {
      for (const key of keys) {
        act(() => {
          input?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        });
      }
    };
    press('ArrowUp', 'Enter');
    press('ArrowDown', 'Enter');
    expect(done).toEqual(['closed', 'Dark theme', 'closed', 'Go to packets']);
  });
});
