// Packets as they pass: the filter above, the newest 1,000 of those that pass it below.
import type { ReactElement, RefObject } from 'react';
import { problemOf } from '../domain/filter';
import { formatCount } from '../domain/format';
import type { PacketsPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import { Button } from './button';
import { FilterField } from './filter-field';
import { PACKET_FIELDS } from './filter-page';
import { PacketList } from './packet-list';
import styles from './packets-view.module.css';
import { RecordButton } from './record-button';

interface PacketsViewProps {
  readonly here: PacketsPlace;
  readonly paused: boolean;
  readonly onPause: (paused: boolean) => void;
  readonly filterInput: RefObject<HTMLInputElement | null>;
}

export function PacketsView({ here, paused, onPause, filterInput }: PacketsViewProps): ReactElement {
  const stores = useStores();
  const { packets, place } = stores;
  useChanges(packets);
  const { link } = packets;
  const problem =
    link.kind === 'refused' && link.failure.kind === 'invalid'
      ? problemOf(link.failure.message, here.filter, true)
      : undefined;
  return (
    <section className={styles.view} aria-label="Packets" data-testid="packets">
      <div className={styles.bar} role="search">
        <FilterField
          input={filterInput}
          label="Filter packets"
          placeholder="Filter: syn and not ack, host 10.0.0.1 and retransmission"
          value={here.filter}
          problem={problem}
          fields={PACKET_FIELDS}
          known={[]}
          onChange={(filter) => {
            place.replace({ ...here, filter });
          }}
        />
        <Losses />
        <RecordButton wish={{ filter: here.filter.trim(), connectionId: undefined }} />
        <Button
          icon={paused ? 'play' : 'pause'}
          shortcut="p"
          pressed={paused}
          onClick={() => {
            onPause(!paused);
          }}
        >
          {paused ? 'Paused' : 'Pause'}
        </Button>
      </div>
      <PacketList
        packets={packets.ring}
        label="Packets, newest last"
        paused={paused}
        emptyText={emptyText(stores)}
        onFollow={() => {
          onPause(false);
        }}
      />
    </section>
  );
}

function Losses(): ReactElement {
  const { packets } = useStores();
  const { lostInKernel, lostInStream, leftOut, sampling, ring } = packets;
  const parts = [
    ...(sampling > 1 ? [`one of ${formatCount(sampling)} is shown to save CPU time`] : []),
    ...(leftOut > 0 ? [`${formatCount(leftOut)} left out`] : []),
    ...(lostInKernel > 0 ? [`${formatCount(lostInKernel)} lost in the kernel`] : []),
    ...(lostInStream > 0 ? [`${formatCount(lostInStream)} skipped by this stream`] : []),
  ];
  return (
    <>
      <span className={styles.count}>{formatCount(ring.length)} shown</span>
      <span
        className={styles.losses}
        title="Packets missing in this list. Connection counts are not affected."
        data-testid="packet-losses"
      >
        {parts.join(', ')}
      </span>
    </>
  );
}

function emptyText({ packets: { link, topic } }: Stores): string {
  switch (link.kind) {
    case 'refused':
      return link.failure.kind === 'invalid'
        ? 'The filter is not understood; what is wrong is said below it.'
        : `The daemon shows no packets here: ${link.failure.message}.`;
    case 'locked':
      return 'Packets will show here once the daemon has a good token.';
    case 'reconnecting':
      return 'The packet stream broke; trying again.';
    case 'connecting':
      return 'Opening the packet stream.';
    case 'live':
      return topic?.filter === ''
        ? 'Waiting for the next packet.'
        : 'Waiting for a packet that passes the filter.';
  }
}
