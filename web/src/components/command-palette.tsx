// Go anywhere, do anything: a list of commands narrowed down by typing, walked with the arrow keys.
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';
import { matchScore } from '../domain/match';
import styles from './command-palette.module.css';
import { Dialog } from './dialog';
import { Icon } from './icon';

export interface Command {
  /** Said in the imperative: "Go to packets". */
  readonly name: string;
  readonly hint?: string;
  readonly shortcut?: string;
  readonly run: () => void;
}

interface CommandPaletteProps {
  readonly commands: readonly Command[];
  /** Commands that what was typed makes possible, such as a filter by an address. */
  readonly commandsFor: (typed: string) => readonly Command[];
  readonly onClose: () => void;
}

export function CommandPalette({ commands, commandsFor, onClose }: CommandPaletteProps): ReactElement {
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const listId = useId();
  const shown = [...commandsFor(typed), ...narrow(commands, typed)];
  const chosen = Math.min(at, shown.length - 1);
  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const run = (command: Command | undefined): void => {
    if (command !== undefined) {
      onClose();
      command.run();
    }
  };
  const pressKey = (event: KeyboardEvent): void => {
    const moves: Partial<Record<string, number>> = { ArrowDown: chosen + 1, ArrowUp: chosen - 1 };
    const move = moves[event.key];
    if (move !== undefined) {
      event.preventDefault();
      setAt((move + shown.length) % Math.max(1, shown.length));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      run(shown[chosen]);
    }
  };
  return (
    <Dialog label="Commands" onClose={onClose}>
      <label className={styles.field}>
        <Icon name="search" />
        <input
          type="text"
          role="combobox"
          aria-label="Command"
          aria-expanded={shown.length > 0}
          aria-controls={listId}
          aria-activedescendant={shown.length > 0 ? `${listId}-${chosen}` : undefined}
          placeholder="Go to, filter by an address or port, change the theme …"
          autoComplete="off"
          spellCheck={false}
          autoFocus
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={pressKey}
        />
      </label>
      <ul ref={list} id={listId} className={styles.list} role="listbox" aria-label="Commands">
        {shown.map((command, index) => (
          <li
            key={command.name}
            id={`${listId}-${index}`}
            className={styles.command}
            role="option"
            aria-selected={index === chosen}
            onPointerMove={() => {
              setAt(index);
            }}
            onClick={() => {
              run(command);
            }}
          >
            <span>{command.name}</span>
            <span className={styles.hint}>{command.hint}</span>
            {command.shortcut !== undefined && <kbd>{command.shortcut}</kbd>}
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p className={styles.none}>No command has these words.</p>}
    </Dialog>
  );
}

function narrow(commands: readonly Command[], typed: string): Command[] {
  return commands
    .flatMap((command) => {
      const score = matchScore(`${command.name} ${command.hint ?? ''}`, typed);
      return score === undefined ? [] : { command, score };
    })
    .sort((left, right) => right.score - left.score)
    .map(({ command }) => command);
}
