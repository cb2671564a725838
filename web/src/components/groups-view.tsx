// The open connections grouped by process, container, unit, peer, port, interface or state, with totals.
import type { ReactElement } from 'react';
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatMicroseconds,
  formatPlural,
  formatRate,
} from '../domain/format';
import type { GroupsPlace } from '../domain/place';
import { GROUP_KINDS, GROUP_WORDS, type Group } from '../domain/stats';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import { GroupName } from './group-name';
import styles from './list-view.module.css';
import { SegmentedChoice } from './segmented-choice';

export function GroupsView({ here }: { here: GroupsPlace }): ReactElement {
  const stores = useStores();
  const { groups: store, place } = stores;
  useChanges(store);
  const { list } = store;
  // Until others come, those at hand are what they were grouped by.
  const by = list?.by ?? here.by;
  const words = GROUP_WORDS[by];
  const groups = list?.groups ?? [];
  return (
    <section className={styles.view} aria-label="Groups" data-testid="groups">
      <div className={styles.bar}>
        <span className={styles.label}>Open connections by</span>
        <SegmentedChoice
          label="Grouped by"
          choices={GROUP_KINDS.map((kind) => ({ value: kind, label: GROUP_WORDS[kind].one }))}
          chosen={here.by}
          onChoose={(by) => {
            place.replace({ ...here, by });
          }}
        />
      </div>
      <div className={styles.scroller} tabIndex={0} role="region" aria-label="List of groups">
        {groups.length === 0 ? (
          <p className={styles.empty}>{emptyWords(stores)}</p>
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">{words.one}</th>
                <th scope="col">Open</th>
                <th scope="col">Sent/s</th>
                <th scope="col">Received/s</th>
                <th scope="col">Packets/s</th>
                <th scope="col">Payload</th>
                <th scope="col">Retransmissions</th>
                <th scope="col">Median RTT</th>
              </tr>
            </thead>
            <tbody>
              {groups.map((group) => (
                <tr key={group.name} data-testid="group">
                  <th scope="row">
                    <GroupName kind={by} name={group.name} />
                  </th>
                  <td>{formatCount(group.connections)}</td>
                  <td>{formatByteRate(group.sentBytesPerSecond)}</td>
                  <td>{formatByteRate(group.receivedBytesPerSecond)}</td>
                  <td>{formatRate(group.packetsPerSecond)}</td>
                  <td>{formatBytes(group.payloadBytes)}</td>
                  <td className={group.retransmissions > 0 ? styles.warned : undefined}>
                    {formatCount(group.retransmissions)}
                  </td>
                  <td>{formatMicroseconds(group.rttUs)}</td>
                </tr>
              ))}
            </tbody>
            <tfoot>
              <Totals groups={groups} />
            </tfoot>
          </table>
        )}
        {list !== undefined && list.more > 0 && (
          <p className={styles.empty}>and {formatPlural(list.more, 'quieter group')} more</p>
        )}
      </div>
    </section>
  );
}

function Totals({ groups }: { groups: readonly Group[] }): ReactElement {
  const total = (of: (group: Group) => number): number => groups.reduce((sum, group) => sum + of(group), 0);
  return (
    <tr>
      <th scope="row">{formatPlural(groups.length, 'group')}</th>
      <td>{formatCount(total(({ connections }) => connections))}</td>
      <td>{formatByteRate(total(({ sentBytesPerSecond }) => sentBytesPerSecond))}</td>
      <td>{formatByteRate(total(({ receivedBytesPerSecond }) => receivedBytesPerSecond))}</td>
      <td>{formatRate(total(({ packetsPerSecond }) => packetsPerSecond))}</td>
      <td>{formatBytes(total(({ payloadBytes }) => payloadBytes))}</td>
      <td>{formatCount(total(({ retransmissions }) => retransmissions))}</td>
      <td />
    </tr>
  );
}

function emptyWords({ groups: { link, list } }: Stores): string {
  switch (link.kind) {
    case 'refused':
      return `The daemon groups nothing here: ${link.failure.message}.`;
    case 'locked':
      return 'Groups will show here once the daemon has a good token.';
    case 'reconnecting':
      return 'The daemon does not answer; groups will show here as soon as it does.';
    case 'connecting':
      return 'Asking the daemon.';
    case 'live':
      return list === undefined ? 'Asking the daemon.' : 'No open connections.';
  }
}
