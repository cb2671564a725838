// The one view: header, connections with their details beside them, packets below. Reads and
// writes the URL, and handles the keys that work anywhere.
import { useRef, useState, type ReactElement } from 'react';
import { ConnectionTable } from '../components/connection-table';
import { DetailsPanel } from '../components/details-panel';
import { FilterBar } from '../components/filter-bar';
import { Header } from '../components/header';
import { LinkBanner } from '../components/link-banner';
import { LiveArea } from '../components/live-area';
import { PacketPanel } from '../components/packet-panel';
import { TokenForm } from '../components/token-form';
import { useStores } from '../store/stores';
import styles from './dashboard.module.css';
import { useAddress } from './use-address';
import { useKeys } from './use-keys';

export function Dashboard(): ReactElement {
  const { order, selection, settings } = useStores();
  const filterInput = useRef<HTMLInputElement>(null);
  const [paused, setPaused] = useState(false);
  useAddress();
  useKeys({
    '/': () => {
      filterInput.current?.focus();
      filterInput.current?.select();
    },
    f: () => {
      order.setFrozen(!order.frozen);
    },
    k: () => {
      settings.change({ packetsOpen: !settings.settings.packetsOpen });
    },
    p: () => {
      setPaused(!paused);
    },
    Escape: () => {
      selection.select(undefined);
    },
  });
  return (
    <div className={styles.page}>
      <Header />
      <LinkBanner url={window.location.origin} />
      <TokenForm />
      <LiveArea>
        <div className={styles.left}>
          <FilterBar input={filterInput} />
          <ConnectionTable />
          <PacketPanel paused={paused} onPause={setPaused} />
        </div>
        <DetailsPanel />
      </LiveArea>
    </div>
  );
}
