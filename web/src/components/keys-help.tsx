// The keys that work on the page, by what they are for.
import type { ReactElement } from 'react';
import { Button } from './button';
import { Dialog } from './dialog';
import styles from './keys-help.module.css';

const KEYS: readonly { readonly title: string; readonly keys: readonly (readonly [string, string])[] }[] = [
  {
    title: 'Everywhere',
    keys: [
      ['Ctrl K', 'command palette: go anywhere, do anything'],
      ['g o', 'overview'],
      ['g c', 'connections'],
      ['g g', 'groups: by process, container, peer, port'],
      ['g p', 'packets'],
      ['g f', 'failures: refused, not answered, reset'],
      ['g l', 'listeners'],
      ['g h', "host: the kernel's counters"],
      ['/', 'filter of the view'],
      ['y', 'copy a link to the view'],
      ['t', 'next theme: light, system, dark'],
      ['?', 'this list'],
      ['Esc', 'close what is open'],
    ],
  },
  {
    title: 'Connections',
    keys: [
      ['j k', 'next and previous row (also ↓ ↑, Page, Home, End)'],
      ['Enter', 'details beside the table; again: the whole page'],
      ['h l', 'previous and next column (also ← →)'],
      ['=', 'filter by the value at the cursor'],
      ['!', 'filter it out'],
      ['s', 'sort by the column; again: the other way, then as usual'],
      ['< >', 'make the column narrower, wider; 0: as wide as usual'],
      ['H L', 'move the column to the left, to the right (also Shift ← →)'],
      ['f', 'freeze the order of the rows, or let it move'],
      ['c', 'show or hide ended connections'],
    ],
  },
  {
    title: 'Packets',
    keys: [['p', 'pause the stream, or let it run']],
  },
  {
    title: 'Charts',
    keys: [
      ['Tab', 'to the next chart'],
      ['← →', 'the numbers at an earlier, a later time (also Page, Home, End)'],
      ['↓ ↑', 'round-trip times: shorter, longer ones'],
    ],
  },
];

export function KeysHelp({ onClose }: { onClose: () => void }): ReactElement {
  return (
    <Dialog label="Keys" wide onClose={onClose}>
      <div className={styles.head}>
        <h2>Keys</h2>
        <Button icon="close" label="Close" onClick={onClose} />
      </div>
      <div className={styles.groups} tabIndex={0} role="region" aria-label="List of keys">
        {KEYS.map(({ title, keys }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl className={styles.keys}>
              {keys.map(([key, meaning]) => (
                <div key={key}>
                  <dt>
                    {key.split(' ').map((part, index) => (
                      <kbd key={`${part} ${index}`}>{part}</kbd>
                    ))}
                  </dt>
                  <dd>{meaning}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
