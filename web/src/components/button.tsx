// A quiet button with an optional icon and key hint; pressed when it stands for a state that is on.
import type { ReactElement, ReactNode } from 'react';
import styles from './button.module.css';
import { Icon, type IconName } from './icon';

interface ButtonProps {
  readonly icon?: IconName;
  /** Needed when there is no visible text. */
  readonly label?: string;
  readonly title?: string;
  readonly shortcut?: string;
  readonly pressed?: boolean;
  readonly expanded?: boolean;
  readonly onClick: () => void;
  readonly children?: ReactNode;
}

export function Button(props: ButtonProps): ReactElement {
  return (
    <button
      type="button"
      className={styles.button}
      aria-label={props.label}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      aria-keyshortcuts={props.shortcut}
      title={props.title}
      onClick={props.onClick}
    >
      {props.icon !== undefined && <Icon name={props.icon} />}
      {props.children}
      {props.shortcut !== undefined && <kbd aria-hidden="true">{props.shortcut}</kbd>}
    </button>
  );
}
