// Who takes part in most of the traffic: peers or ports, the busiest first.
import { useState, type ReactElement } from 'react';
import { formatByteRate, formatBytes, formatCount, formatMicroseconds, formatPlural } from '../domain/format';
import { CONNECTIONS, type Place } from '../domain/place';
import type { Group, GroupKind } from '../domain/stats';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Card } from './card';
import { PlaceLink } from './place-link';
import styles from './ranking.module.css';
import { SegmentedChoice } from './segmented-choice';

const KINDS: Partial<
  Record<GroupKind, { readonly choice: string; readonly one: string; readonly many: string }>
> = {
  process: { choice: 'Processes', one: 'process', many: 'processes' },
  container: { choice: 'Containers', one: 'container', many: 'containers' },
  peer: { choice: 'Peers', one: 'peer', many: 'peers' },
  port: { choice: 'Ports', one: 'port', many: 'ports' },
};

export function TopTalkers(): ReactElement {
  const { overview } = useStores();
  useChanges(overview);
  const [kind, setKind] = useState<GroupKind>('process');
  const lists = overview.sums.at(-1)?.groups ?? [];
  const list = lists.find(({ by }) => by === kind);
  const words = KINDS[kind];
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
            const choice = isEmpty ? undefined : KINDS[by]?.choice;
            return choice === undefined ? [] : { value: by, label: choice };
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
              <th scope="col" className={styles.kind}>
                {words?.one}
              </th>
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
          and {formatPlural(list.more, `more ${words?.one ?? ''}`, `more ${words?.many ?? ''}`)}
        </p>
      )}
    </Card>
  );
}

function GroupName({ kind, name }: { kind: GroupKind; name: string }): ReactElement {
  const there = connectionsOf(kind, name);
  const shown = kind === 'container' && !name.startsWith('(') ? name.slice(0, 12) : name;
  return there === undefined ? (
    <span>{shown}</span>
  ) : (
    <PlaceLink to={there} title={`Show its connections: ${name}`}>
      {shown}
    </PlaceLink>
  );
}

function rateOf(group: Group): number {
  return group.sentBytesPerSecond + group.receivedBytesPerSecond;
}

/** The connections of a group; undefined where no filter names them. */
function connectionsOf(kind: GroupKind, name: string): Place | undefined {
  // A name in parentheses stands for those that have none.
  if (name.startsWith('(')) {
    return kind === 'process' ? { ...CONNECTIONS, filter: 'open and not has process' } : undefined;
  }
  const filters: Partial<Record<GroupKind, string>> = {
    peer: `host ${name}`,
    port: `destination.port == ${name}`,
    process: `process == ${JSON.stringify(name)}`,
    container: `container == ${JSON.stringify(name)}`,
  };
  const filter = filters[kind];
  return filter === undefined ? undefined : { ...CONNECTIONS, filter: `open and ${filter}` };
}
