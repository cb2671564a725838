// One of a few, side by side.
import type { ReactElement } from 'react';
import styles from './segmented-choice.module.css';

interface SegmentedChoiceProps<Value extends string | number> {
  readonly label: string;
  readonly choices: readonly { readonly value: Value; readonly label: string; readonly title?: string }[];
  readonly chosen: Value;
  readonly onChoose: (value: Value) => void;
}

export function SegmentedChoice<Value extends string | number>(
  props: SegmentedChoiceProps<Value>,
): ReactElement {
  const { label, choices, chosen, onChoose } = props;
  return (
    <span className={styles.choices} role="group" aria-label={label}>
      {choices.map(({ value, label: name, title }) => (
        <button
          key={value}
          type="button"
          title={title}
          aria-pressed={value === chosen}
          onClick={() => {
            onChoose(value);
          }}
        >
          {name}
        </button>
      ))}
    </span>
  );
}
