// What does not work on this host, or works in a lesser way: a warning chip with the reasons.
import type { ReactElement } from 'react';
import { formatPlural } from '../domain/format';
import type { Degradation, InterfaceStatus } from '../domain/status';
import styles from './degradations.module.css';
import { Icon } from './icon';
import { Popover } from './popover';

interface DegradationsProps {
  readonly degradations: readonly Degradation[];
  readonly interfaces: readonly InterfaceStatus[];
}

export function Degradations({ degradations, interfaces }: DegradationsProps): ReactElement | null {
  const named = new Set(degradations.map(({ feature }) => feature));
  const detached = interfaces
    .filter(({ name, error }) => error !== '' && !named.has(`interface ${name}`))
    .map(({ name, error }) => ({
      feature: `interface ${name}`,
      reason: error,
      effect: 'its connections are not seen',
    }));
  const all = [...degradations, ...detached];
  if (all.length === 0) {
    return null;
  }
  return (
    <Popover
      title="What does not fully work on this host"
      tone="warn"
      testId="degradations"
      label={formatPlural(all.length, 'limitation')}
      trigger={
        <>
          <Icon name="warning" />
          {all.length}
        </>
      }
    >
      <ul className={styles.list}>
        {all.map(({ feature, reason, effect }) => (
          <li key={`${feature} ${reason}`}>
            <strong>{feature}</strong>: {reason}
            {effect !== '' && <p className={styles.effect}>{effect}</p>}
          </li>
        ))}
      </ul>
    </Popover>
  );
}
