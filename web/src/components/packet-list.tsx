// A list of packets, newest at the bottom, of which only the visible lines exist. It follows the newest packet until
// the user scrolls up, pauses, or goes into a line; then it stands still, and says how much is new.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect, useRef, useState, type ReactElement } from 'react';
import { formatPlural } from '../domain/format';
import { useChanges } from '../store/notifier';
import type { NumberedPacket } from '../store/packets';
import { useStores } from '../store/stores';
import styles from './packet-list.module.css';
import { PacketRow } from './packet-row';

const ROW_HEIGHT_PX = 22;
const HEADER_HEIGHT_PX = 24;
const HEADINGS = [
  'Time',
  'Interface',
  'Source',
  'Destination',
  'Flags',
  'Seq',
  'Ack',
  'Window',
  'Payload',
  'Connection',
  '',
];
const COLUMN_NAMES: Partial<Record<string, string>> = { Seq: 'seq', Ack: 'ack', Window: 'window' };

interface PacketListProps {
  readonly packets: readonly NumberedPacket[];
  readonly label: string;
  readonly paused: boolean;
  /** What to say while there are no packets. */
  readonly emptyText: string;
  readonly onFollow: () => void;
}

export function PacketList({ packets, label, paused, emptyText, onFollow }: PacketListProps): ReactElement {
  const { status } = useStores();
  useChanges(status);
  const run = status.status?.instance;
  const scroller = useRef<HTMLDivElement>(null);
  const [scrolledUp, setScrolledUp] = useState(false);
  const [held, setHeld] = useState(packets);
  const [inside, setInside] = useState(false);
  const following = !paused && !scrolledUp && !inside;
  if (following && held !== packets) {
    setHeld(packets);
  }
  const shown = following ? packets : held;
  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT_PX,
    scrollMargin: HEADER_HEIGHT_PX,
    overscan: 10,
  });

  useLayoutEffect(() => {
    if (following && scroller.current !== null) {
      scroller.current.scrollTop = scroller.current.scrollHeight;
    }
  }, [following, packets]);

  const noticeScroll = (): void => {
    const element = scroller.current;
    if (element !== null) {
      const belowPx = element.scrollHeight - element.scrollTop - element.clientHeight;
      setScrolledUp(belowPx > ROW_HEIGHT_PX);
    }
  };
  const fits = virtualizer.getTotalSize() + HEADER_HEIGHT_PX <= (virtualizer.scrollRect?.height ?? 0);
  const missed = (packets.at(-1)?.number ?? 0) - (shown.at(-1)?.number ?? 0);
  return (
    <div className={styles.frame}>
      <div
        ref={scroller}
        className={styles.list}
        role="table"
        tabIndex={0}
        aria-label={label}
        aria-rowcount={shown.length + 1}
        data-fits={fits}
        onScroll={noticeScroll}
        onFocus={({ target, currentTarget }) => {
          setInside(target !== currentTarget);
        }}
        onBlur={() => {
          setInside(false);
        }}
      >
        <div role="rowgroup" className={styles.head}>
          <div role="row" className={styles.headings} aria-rowindex={1}>
            {HEADINGS.map((heading) => (
              <span key={heading} role="columnheader" data-column={COLUMN_NAMES[heading]}>
                {heading === '' ? <span className={styles.hidden}>Remarks</span> : heading}
              </span>
            ))}
          </div>
        </div>
        {shown.length === 0 ? (
          <div role="rowgroup">
            <div role="row">
              <p role="cell" className={styles.empty}>
                {emptyText}
              </p>
            </div>
          </div>
        ) : (
          <div role="rowgroup" className={styles.body} style={{ height: `${virtualizer.getTotalSize()}px` }}>
            {virtualizer.getVirtualItems().map(({ index, start }) => {
              const entry = shown[index];
              return entry === undefined ? null : (
                <PacketRow
                  key={entry.number}
                  packet={entry.packet}
                  run={run}
                  position={index + 1}
                  topPx={start - HEADER_HEIGHT_PX}
                />
              );
            })}
          </div>
        )}
      </div>
      {!following && missed > 0 && (
        <button
          type="button"
          className={styles.follow}
          onClick={() => {
            setScrolledUp(false);
            onFollow();
          }}
        >
          {formatPlural(missed, 'new packet')} ↓
        </button>
      )}
    </div>
  );
}
