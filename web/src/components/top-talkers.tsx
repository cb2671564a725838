// Who takes part in most of the traffic: peers or ports, the busiest first.
import { useState, type ReactElement } from 'react';
import { formatByteRate, formatBytes, formatCount, formatMicroseconds, formatPlural } from '../domain/format';
import { GROUP_WORDS, type Group, type GroupKind } from '../domain/stats';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Card } from './card';
import { GroupName } from './group-name';
import { PlaceLink } from './place-link';
import styles from './ranking.module.css';
import { SegmentedChoice } from './segmented-choice';

export function TopTalkers(): ReactElement {
  const { overview } = useStores();
  useChanges(overview);
  const [kind, setKind] = useState<GroupKind>('process');
  const lists = overview.sums.at(-1)?.groups ?? [];
  const list = lists.find(({ by }) => by === kind);
  const words = GROUP_WORDS[kind];
  const busiest = Math.max(1, ...(list?.groups ?? []).map(rateOf));
  return (
    <Card
      title="Top talkers"
      testId="top-talkers"
      tools={
        <SegmentedChoice
          label="Grouped by"
          choices={lists.flatMap(({ by, groups }) => {
            // A host without containers has nothing to choose there.
            const isEmpty = by === 'container' && groups.every(({ name }) => name.startsWith('('));
            return isEmpty ? [] : { value: by, label: GROUP_WORDS[by].many };
          })}
          chosen={kind}
          onChoose={setKind}
        />
      }
    >
      {list === undefined || list.groups.length === 0 ? (
        <p className={styles.empty}>No open connections.</p>
      ) : (
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">{words.one}</th>
              <th scope="col" className={styles.few}>
                Open
              </th>
              <th scope="col">Rate</th>
              <th scope="col">Total</th>
              <th scope="col" className={styles.few} title="Median">
                RTT
              </th>
            </tr>
          </thead>
          <tbody>
            {list.groups.map((group) => (
              <tr key={group.name}>
                <td
                  className={styles.bar}
                  style={{ '--share': `${((rateOf(group) / busiest) * 100).toFixed(1)}%` }}
                >
                  <GroupName kind={kind} name={group.name} />
                </td>
                <td>{formatCount(group.connections)}</td>
                <td>{formatByteRate(rateOf(group))}</td>
                <td>{formatBytes(group.payloadBytes)}</td>
                <td>{formatMicroseconds(group.rttUs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {list !== undefined && list.more > 0 && (
        <p className={styles.more}>
          <PlaceLink to={{ view: 'groups', by: kind }} marked>
            and{' '}
            {formatPlural(list.more, `more ${words.one.toLowerCase()}`, `more ${words.many.toLowerCase()}`)}
          </PlaceLink>
        </p>
      )}
    </Card>
  );
}

function rateOf(group: Group): number {
  return group.sentBytesPerSecond + group.receivedBytesPerSecond;
}
