// A field for a filter in the daemon's language. What is wrong with it is said below, with a mark under the
// place where it is wrong.
import { useId, type KeyboardEvent, type ReactElement, type RefObject } from 'react';
import type { FilterProblem } from '../domain/filter';
import styles from './filter-field.module.css';
import { Icon } from './icon';

interface FilterFieldProps {
  readonly input: RefObject<HTMLInputElement | null>;
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly problem: FilterProblem | undefined;
  readonly onChange: (value: string) => void;
}

export function FilterField(props: FilterFieldProps): ReactElement {
  const { input, label, placeholder, value, problem, onChange } = props;
  const problemId = useId();
  const leaveOnEscape = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key === 'Escape') {
      event.preventDefault();
      event.nativeEvent.stopPropagation();
      event.currentTarget.blur();
    }
  };
  return (
    <div className={styles.area}>
      <label className={styles.field} data-wrong={problem !== undefined}>
        <Icon name="search" />
        <input
          ref={input}
          type="text"
          aria-label={label}
          aria-keyshortcuts="/"
          aria-invalid={problem !== undefined}
          aria-describedby={problem === undefined ? undefined : problemId}
          placeholder={placeholder}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          value={value}
          onKeyDown={leaveOnEscape}
          onChange={(event) => {
            onChange(event.currentTarget.value);
          }}
        />
        {value === '' ? (
          <kbd aria-hidden="true">/</kbd>
        ) : (
          <button
            type="button"
            className={styles.clear}
            aria-label="Clear the filter"
            onClick={() => {
              onChange('');
              input.current?.focus();
            }}
          >
            <Icon name="close" />
          </button>
        )}
      </label>
      {problem !== undefined && (
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
