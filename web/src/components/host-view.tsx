// What the kernel counts of all TCP of this host as rates, and what the daemon is attached to.
import type { ReactElement } from 'react';
import { formatCount, formatRate, NOT_MEASURED } from '../domain/format';
import { isTrouble, type HostCounter } from '../domain/stats';
import { hookWords } from '../domain/status';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import styles from './list-view.module.css';
import { Sparkline } from './sparkline';

export function HostView(): ReactElement {
  const stores = useStores();
  const { overview, status: store } = stores;
  useChanges(overview);
  useChanges(store);
  const counters = overview.sums.at(-1)?.hostCounters ?? [];
  const troubled = counters.filter(isTrouble).length;
  const { status } = store;
  return (
    <section className={styles.view} aria-label="Host" data-testid="host">
      <div className={styles.bar}>
        <span className={styles.label}>What the kernel counts of all TCP of this host</span>
        <span className={styles.note}>
          {troubled === 0
            ? 'nothing goes wrong now'
            : `${formatCount(troubled)} that tell of trouble grow now`}
        </span>
      </div>
      <div className={styles.scroller} tabIndex={0} role="region" aria-label="Numbers of the host">
        {counters.length === 0 ? (
          <p className={styles.empty}>{emptyWords(stores)}</p>
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Counter</th>
                <th scope="col" className={styles.text}>
                  What it counts
                </th>
                <th scope="col">Last minute</th>
                <th scope="col">Now</th>
                <th scope="col">Total</th>
              </tr>
            </thead>
            <tbody>
              {counters.map((counter) => (
                <Row key={counter.name} counter={counter} history={historyOf(stores, counter.name)} />
              ))}
            </tbody>
          </table>
        )}
        {status !== undefined && status.interfaces.length > 0 && (
          <>
            <h2 className={styles.heading}>Interfaces</h2>
            <table className={styles.table}>
              <thead>
                <tr>
                  <th scope="col">Interface</th>
                  <th scope="col" className={styles.text}>
                    How the daemon sees its packets
                  </th>
                </tr>
              </thead>
              <tbody>
                {status.interfaces.map((each) => (
                  <tr key={each.name}>
                    <th scope="row">{each.name}</th>
                    <td className={styles.text}>{hookWords(each)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </>
        )}
      </div>
    </section>
  );
}

function Row({
  counter,
  history,
}: {
  counter: HostCounter;
  history: readonly (number | undefined)[];
}): ReactElement {
  const { name, meaning, total, perSecond } = counter;
  return (
    <tr data-testid="host-counter">
      <th scope="row">{name}</th>
      <td className={styles.text}>{meaning}</td>
      <td>
        <Sparkline values={history} />
      </td>
      <td className={isTrouble(counter) ? styles.warned : (perSecond ?? 0) > 0 ? undefined : styles.quiet}>
        {perSecond === undefined ? NOT_MEASURED : formatRate(perSecond)}
      </td>
      <td className={total > 0 ? undefined : styles.quiet}>{formatCount(total)}</td>
    </tr>
  );
}

function historyOf({ overview }: Stores, name: string): readonly (number | undefined)[] {
  return overview.sums
    .slice(-60)
    .map(({ hostCounters }) => hostCounters.find((counter) => counter.name === name)?.perSecond);
}

function emptyWords({ status: { status }, overview }: Stores): string {
  if (status !== undefined && status.captureFile !== '') {
    return 'A capture has packets and no counters of a kernel.';
  }
  return overview.sums.length === 0 ? 'Asking the daemon.' : 'This kernel tells no counters of TCP.';
}
