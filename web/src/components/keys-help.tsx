// The keys that work anywhere on the page.
import type { ReactElement } from 'react';
import styles from './keys-help.module.css';
import { Popover } from './popover';

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'filter the connections'],
  ['f', 'freeze the order of the rows, or let it move'],
  ['p', 'pause the packet stream, or let it run'],
  ['k', 'open or close the packet stream'],
  ['↑ ↓', 'move through the rows (also Page, Home, End)'],
  ['Enter', 'open the details of the row'],
  ['Esc', 'close the details, leave the filter'],
];

export function KeysHelp(): ReactElement {
  return (
    <Popover title="Keys" label="Keys" trigger={<kbd>?</kbd>}>
      <dl className={styles.keys}>
        {KEYS.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Popover>
  );
}
