// The name of a process with its number; faint where it is only likely. The title says all that is known.
import { memo, type ReactElement } from 'react';
import { PROCESS_SOURCE_WORDS, type Process } from '../domain/connection';
import { NOT_MEASURED } from '../domain/format';
import styles from './process-name.module.css';

export const ProcessName = memo(function ProcessName({
  process,
}: {
  process: Process | undefined;
}): ReactElement {
  if (process === undefined) {
    return <span className={styles.none}>{NOT_MEASURED}</span>;
  }
  return (
    <span title={titleOf(process)}>
      {process.command}
      <span className={styles.pid}>
        {' '}
        {process.pid}
        {process.certain ? '' : ' ?'}
      </span>
    </span>
  );
});

function titleOf({ commandLine, user, userId, unit, container, source, certain }: Process): string {
  return [
    ...(commandLine === undefined ? [] : [commandLine]),
    `user ${user ?? userId}`,
    ...(unit === undefined ? [] : [`unit ${unit}`]),
    ...(container === undefined ? [] : [`container ${container.slice(0, 12)}`]),
    `${certain ? 'certain' : 'likely'}: ${PROCESS_SOURCE_WORDS[source]}`,
  ].join('\n');
}
