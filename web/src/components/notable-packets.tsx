// The packets of a connection that are worth remembering, the newest first: of the handshake and the end, sent
// again, without a window. The kernel remembers them whether somebody watches or not.
import type { ReactElement } from 'react';
import { formatClock, formatCount, formatPlural } from '../domain/format';
import { NOTABILITY_WORDS } from '../domain/history';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { FlagMarks } from './flag-marks';
import styles from './recent-packets.module.css';

const SHOWN = 60;

export function NotablePackets(): ReactElement {
  const { selection } = useStores();
  useChanges(selection);
  const { packets, missedPackets } = selection;
  const newestFirst = packets.slice(-SHOWN).reverse();
  return (
    <section data-testid="notable-packets">
      <h3>Notable packets</h3>
      {newestFirst.length === 0 ? (
        <p className={styles.empty}>None: nothing was sent again, and no window was closed.</p>
      ) : (
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Way</th>
              <th scope="col">Flags</th>
              <th scope="col">Why</th>
              <th scope="col">Seq</th>
              <th scope="col">Payload</th>
            </tr>
          </thead>
          <tbody>
            {newestFirst.map((packet, index) => (
              <tr
                key={`${packet.timestampMs} ${packet.seq} ${index}`}
                data-retransmission={packet.notableFor.includes('retransmission')}
              >
                <td>{formatClock(packet.timestampMs)}</td>
                <td>{packet.fromSource ? 'sent' : 'received'}</td>
                <td>
                  <FlagMarks flags={packet.flags} />
                </td>
                <td>{packet.notableFor.map((reason) => NOTABILITY_WORDS[reason]).join(', ')}</td>
                <td>{packet.seq}</td>
                <td>{formatCount(packet.payloadBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {missedPackets > 0 && (
        <p className={styles.empty}>{formatPlural(missedPackets, 'more was', 'more were')} not remembered.</p>
      )}
    </section>
  );
}
