// A field for a filter in the daemon's language: it offers what can stand at the caret, and filters that were
// used before; what is wrong is said below, with a mark under the place where it is wrong.
import { useId, useState, type KeyboardEvent, type ReactElement, type RefObject } from 'react';
import type { FilterProblem } from '../domain/filter';
import {
  complete,
  type Completion,
  type FilterField as Field,
  type Suggestion,
} from '../domain/filter-language';
import styles from './filter-field.module.css';
import { Icon } from './icon';

interface FilterFieldProps {
  readonly input: RefObject<HTMLInputElement | null>;
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly problem: FilterProblem | undefined;
  readonly fields: readonly Field[];
  /** Whole filters to begin with, offered while the field is empty. */
  readonly known: readonly Suggestion[];
  /** Whether the filter is kept; undefined where filters are not. */
  readonly kept?: boolean;
  readonly onKeep?: () => void;
  /** The user is done with it. */
  readonly onUse?: () => void;
  readonly onChange: (value: string) => void;
}

export function FilterField(props: FilterFieldProps): ReactElement {
  const { input, label, placeholder, value, problem, fields, known, onChange } = props;
  const [problemId, listId] = [useId(), useId()];
  const [caret, setCaret] = useState<number>();
  const [at, setAt] = useState<number>();
  const completion: Completion =
    caret === undefined
      ? { from: 0, suggestions: [] }
      : value === ''
        ? { from: 0, suggestions: known.length > 0 ? known : complete('', 0, fields).suggestions }
        : complete(value, caret, fields);
  const { from, suggestions } = completion;
  const open = suggestions.length > 0;
  const close = (): void => {
    setCaret(undefined);
    setAt(undefined);
  };
  const take = (suggestion: Suggestion): void => {
    const before = `${value.slice(0, from)}${suggestion.text}`;
    const after = value.slice(caret ?? value.length);
    const spaced = value === '' && known.includes(suggestion) ? before : `${before} `;
    onChange(`${spaced}${after.trimStart()}`);
    setAt(undefined);
    setCaret(spaced.length);
    requestAnimationFrame(() => {
      input.current?.setSelectionRange(spaced.length, spaced.length);
    });
  };
  const pressKey = (event: KeyboardEvent<HTMLInputElement>): void => {
    const chosen = at === undefined ? undefined : suggestions[at];
    const steps: Partial<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };
    const step = steps[event.key];
    // Where nothing is begun, Tab leads out of the field.
    const begun = value.slice(from, caret);
    const isBegun = begun !== '' && !fields.some(({ name }) => name === begun);
    const tabbed =
      event.key === 'Tab' && !event.shiftKey && open
        ? (chosen ?? (isBegun ? suggestions[0] : undefined))
        : undefined;
    if (step !== undefined && open) {
      event.preventDefault();
      setAt(((at ?? (step > 0 ? -1 : 0)) + step + suggestions.length) % suggestions.length);
    } else if (event.key === 'Enter' && chosen !== undefined) {
      event.preventDefault();
      take(chosen);
    } else if (tabbed !== undefined) {
      event.preventDefault();
      take(tabbed);
    } else if (event.key === 'Enter') {
      close();
      props.onUse?.();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.nativeEvent.stopPropagation();
      if (open) {
        close();
      } else {
        event.currentTarget.blur();
      }
    }
  };
  return (
    <div className={styles.area}>
      <div className={styles.field} data-wrong={problem !== undefined}>
        <Icon name="search" />
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label={label}
          aria-keyshortcuts="/"
          aria-invalid={problem !== undefined}
          aria-describedby={problem === undefined ? undefined : problemId}
          aria-expanded={open}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={at === undefined || !open ? undefined : `${listId}-${at}`}
          placeholder={placeholder}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          value={value}
          onKeyDown={pressKey}
          onSelect={(event) => {
            if (document.activeElement === event.currentTarget) {
              setCaret(event.currentTarget.selectionStart ?? value.length);
            }
          }}
          onChange={(event) => {
            setAt(undefined);
            setCaret(event.currentTarget.selectionStart ?? event.currentTarget.value.length);
            onChange(event.currentTarget.value);
          }}
          onBlur={() => {
            close();
            props.onUse?.();
          }}
        />
        {props.onKeep !== undefined && value !== '' && (
          <button
            type="button"
            className={styles.tool}
            aria-label="Keep this filter"
            aria-pressed={props.kept}
            title={props.kept === true ? 'Kept; click to forget it' : 'Keep this filter'}
            onClick={props.onKeep}
          >
            <Icon name="star" />
          </button>
        )}
        {value === '' ? (
          <kbd aria-hidden="true">/</kbd>
        ) : (
          <button
            type="button"
            className={styles.tool}
            aria-label="Clear the filter"
            onClick={() => {
              onChange('');
              input.current?.focus();
            }}
          >
            <Icon name="close" />
          </button>
        )}
      </div>
      <ul id={listId} className={styles.list} role="listbox" aria-label="What can stand here" hidden={!open}>
        {suggestions.map((suggestion, index) => (
          <li
            key={suggestion.text}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === at}
            className={styles.option}
            // The field keeps the focus.
            onPointerDown={(event) => {
              event.preventDefault();
              take(suggestion);
            }}
          >
            <code>{suggestion.text}</code>
            <span>{suggestion.hint}</span>
          </li>
        ))}
      </ul>
      {problem !== undefined && !open && (
        <div id={problemId} className={styles.problem} role="alert" data-testid="filter-problem">
          <pre
            className={styles.pointer}
            aria-hidden="true"
          >{`${value}\n${' '.repeat(problem.column)}^`}</pre>
          <p>{problem.message}</p>
        </div>
      )}
    </div>
  );
}
