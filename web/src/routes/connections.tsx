// The connections that pass a filter, in an order, and the selected one beside them.
import { useRef, type ReactElement } from 'react';
import { ConnectionTable } from '../components/connection-table';
import { DetailsPanel } from '../components/details-panel';
import { FilterBar } from '../components/filter-bar';
import { useKeys } from '../components/use-keys';
import type { ConnectionsPlace } from '../domain/place';
import { useStores } from '../store/stores';
import styles from './connections.module.css';

export default function Connections({ place: here }: { place: ConnectionsPlace }): ReactElement {
  const { place, order } = useStores();
  const filterInput = useRef<HTMLInputElement>(null);
  useKeys({
    '/': () => {
      filterInput.current?.focus();
      filterInput.current?.select();
    },
    f: () => {
      order.setFrozen(!order.frozen);
    },
    c: () => {
      place.replace({ ...here, showClosed: !here.showClosed });
    },
    Escape: () => {
      place.replace({ ...here, selected: undefined });
    },
  });
  return (
    <>
      <div className={styles.list}>
        <FilterBar input={filterInput} here={here} />
        <ConnectionTable here={here} />
      </div>
      <DetailsPanel />
    </>
  );
}
