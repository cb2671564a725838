// A path that means nothing here.
import type { ReactElement } from 'react';
import { PlaceLink } from '../components/place-link';
import { OVERVIEW } from '../domain/place';
import styles from './missing.module.css';

export function Missing({ path }: { path: string }): ReactElement {
  return (
    <div className={styles.missing} data-testid="missing">
      <h2>There is nothing at this address</h2>
      <p>
        <code>{path}</code> names no view of this dashboard. A link to a connection looks like{' '}
        <code>/connections/17?run=…</code>.
      </p>
      <p className={styles.way}>
        <PlaceLink to={OVERVIEW}>Go to the overview</PlaceLink>
      </p>
    </div>
  );
}
