// Whether everything was counted: one phrase, and behind it every packet by what became of it.
import type { ReactElement } from 'react';
import { formatCount } from '../domain/format';
import { eventsLost, ledgerLines, ledgerSummary, packetsNotCounted, type Ledger } from '../domain/status';
import { Icon } from './icon';
import styles from './ledger.module.css';
import { Popover } from './popover';

export function LedgerPopover({ ledger }: { ledger: Ledger }): ReactElement {
  const tone = packetsNotCounted(ledger) > 0 ? 'bad' : eventsLost(ledger) > 0 ? 'warn' : 'plain';
  return (
    <Popover
      title="What became of every packet"
      tone={tone}
      testId="ledger"
      trigger={
        <>
          <Icon name={tone === 'plain' ? 'check' : 'warning'} />
          <span className={styles.trigger}>
            <span className={styles.label}>Ledger:</span> {ledgerSummary(ledger)}
          </span>
        </>
      }
    >
      <table className={styles.table}>
        <tbody>
          {ledgerLines(ledger).map(({ label, count, loss }) => (
            <Line key={label} label={label} count={count} bad={loss && count > 0} />
          ))}
        </tbody>
        <tfoot>
          <Line label="packets that reached a hook" count={ledger.packetsSeen} bad={false} />
        </tfoot>
      </table>
      <table className={styles.table}>
        <tbody>
          <Line
            label="half-open connections given up for newer ones"
            count={ledger.connectionsGivenUp}
            bad={ledger.connectionsGivenUp > 0}
          />
          <Line
            label="connections to be listed once confirmed"
            count={ledger.connectionsWithheld}
            bad={false}
          />
        </tbody>
      </table>
      <table className={styles.table}>
        <tbody>
          <Line label="connection events sent" count={ledger.connectionEvents} bad={false} />
          <Line
            label="connection events lost (costs freshness, not counts)"
            count={ledger.connectionEventsLost}
            bad={ledger.connectionEventsLost > 0}
          />
          <Line label="packet events sent" count={ledger.packetEvents} bad={false} />
          <Line
            label="packet events lost (missing in the packet list)"
            count={ledger.packetEventsLost}
            bad={ledger.packetEventsLost > 0}
          />
          <Line
            label="packet events left out to save CPU time"
            count={ledger.packetEventsLeftOut}
            bad={ledger.packetEventsLeftOut > 0}
          />
          <Line label="failures told of, with the kernel's reason" count={ledger.failureEvents} bad={false} />
          <Line
            label="failures not told of: no room, or too many at once"
            count={ledger.failureEventsMissed}
            bad={ledger.failureEventsMissed > 0}
          />
        </tbody>
      </table>
    </Popover>
  );
}

function Line({ label, count, bad }: { label: string; count: number; bad: boolean }): ReactElement {
  return (
    <tr data-bad={bad}>
      <th scope="row">{label}</th>
      <td>{formatCount(count)}</td>
    </tr>
  );
}
