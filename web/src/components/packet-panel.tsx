// The packet stream at the bottom of the page: opens and closes (the daemon takes packets from the
// kernel only while somebody watches), of all connections or of the selected one, can be paused,
// and can be made higher or lower.
import { useRef, type KeyboardEvent, type PointerEvent, type ReactElement } from 'react';
import { formatCount } from '../domain/format';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import { Button } from './button';
import { PacketList } from './packet-list';
import styles from './packet-panel.module.css';

const MIN_HEIGHT_PX = 120;
const KEY_STEP_PX = 24;

interface PacketPanelProps {
  readonly paused: boolean;
  readonly onPause: (paused: boolean) => void;
}

export function PacketPanel({ paused, onPause }: PacketPanelProps): ReactElement {
  const stores = useStores();
  const { packets, settings, selection } = stores;
  useChanges(packets);
  useChanges(settings);
  useChanges(selection);
  const { packetsOpen, packetsHeightPx, packetScope } = settings.settings;
  return (
    <section className={styles.panel} aria-label="Packet stream" data-testid="packets">
      {packetsOpen && <ResizeHandle />}
      <div className={styles.bar}>
        <Button
          icon={packetsOpen ? 'down' : 'up'}
          shortcut="k"
          expanded={packetsOpen}
          onClick={() => {
            settings.change({ packetsOpen: !packetsOpen });
          }}
        >
          Packets
        </Button>
        {packetsOpen ? (
          <>
            <div className={styles.scopes} role="group" aria-label="Packets of">
              <Button
                pressed={packetScope === 'all'}
                onClick={() => {
                  settings.change({ packetScope: 'all' });
                }}
              >
                All connections
              </Button>
              <Button
                pressed={packetScope === 'selected'}
                onClick={() => {
                  settings.change({ packetScope: 'selected' });
                }}
              >
                Selected only
              </Button>
            </div>
            <Losses />
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
          </>
        ) : (
          <span className={styles.hint}>Closed: the kernel hands no packets over while nobody watches.</span>
        )}
      </div>
      {packetsOpen && (
        <div className={styles.content} style={{ height: `${packetsHeightPx}px` }}>
          <PacketList
            packets={packets.ring}
            label="Packets, newest last"
            paused={paused}
            emptyText={emptyText(stores)}
            onFollow={() => {
              onPause(false);
            }}
          />
        </div>
      )}
    </section>
  );
}

function Losses(): ReactElement {
  const { packets } = useStores();
  const { lostInKernel, lostInStream } = packets;
  const parts = [
    ...(lostInKernel > 0 ? [`${formatCount(lostInKernel)} lost in the kernel`] : []),
    ...(lostInStream > 0 ? [`${formatCount(lostInStream)} skipped by this stream`] : []),
  ];
  return (
    <span className={styles.losses} title="Packets missing in this list. Connection counts are not affected.">
      {parts.join(', ')}
    </span>
  );
}

function ResizeHandle(): ReactElement {
  const { settings } = useStores();
  const drag = useRef<{ fromY: number; fromHeightPx: number }>(undefined);
  const { packetsHeightPx } = settings.settings;
  const resize = (heightPx: number): void => {
    const most = Math.max(MIN_HEIGHT_PX, window.innerHeight - 300);
    settings.change({ packetsHeightPx: Math.round(Math.min(most, Math.max(MIN_HEIGHT_PX, heightPx))) });
  };
  const pressKey = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      event.preventDefault();
      resize(packetsHeightPx + (event.key === 'ArrowUp' ? KEY_STEP_PX : -KEY_STEP_PX));
    }
  };
  const grab = (event: PointerEvent): void => {
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { fromY: event.clientY, fromHeightPx: packetsHeightPx };
  };
  const pull = (event: PointerEvent): void => {
    if (drag.current !== undefined) {
      resize(drag.current.fromHeightPx + drag.current.fromY - event.clientY);
    }
  };
  return (
    <div
      className={styles.handle}
      role="separator"
      tabIndex={0}
      aria-label="Height of the packet stream"
      aria-orientation="horizontal"
      aria-valuenow={packetsHeightPx}
      aria-valuemin={MIN_HEIGHT_PX}
      onKeyDown={pressKey}
      onPointerDown={grab}
      onPointerMove={pull}
      onPointerUp={() => {
        drag.current = undefined;
      }}
    />
  );
}

function emptyText({ packets, settings, selection }: Stores): string {
  if (settings.settings.packetScope === 'selected' && selection.ref === undefined) {
    return 'Select a connection to see its packets.';
  }
  switch (packets.state) {
    case 'refused':
      return `The daemon shows no packets here: ${packets.refusal}.`;
    case 'failed':
      return 'The packet stream broke; trying again.';
    case 'waiting':
      return 'Opening the packet stream.';
    case 'open':
      return 'Waiting for the next packet.';
  }
}
