// Who is at each end of a connection that is a socket of this host.
import type { ReactElement } from 'react';
import { PROCESS_SOURCE_WORDS, type Connection, type Process } from '../domain/connection';
import styles from './connection-life.module.css';

export function ProcessFacts({ connection }: { connection: Connection }): ReactElement | null {
  const { sourceProcess, destinationProcess } = connection;
  if (sourceProcess === undefined && destinationProcess === undefined) {
    return null;
  }
  return (
    <section data-testid="processes">
      <h3>Process</h3>
      <dl className={styles.facts}>
        {sourceProcess !== undefined && <Facts end="Source" process={sourceProcess} />}
        {destinationProcess !== undefined && <Facts end="Destination" process={destinationProcess} />}
      </dl>
    </section>
  );
}

function Facts({ end, process }: { end: string; process: Process }): ReactElement {
  const { pid, command, commandLine, user, userId, unit, container, pod, source, certain } = process;
  const facts: readonly (readonly [string, string | undefined])[] = [
    [end, `${command}, number ${pid}`],
    ['Command', commandLine],
    ['User', user ?? String(userId)],
    ['Unit', unit],
    ['Container', container],
    ['Pod', pod],
    ['How sure', `${certain ? 'certain' : 'likely'}: ${PROCESS_SOURCE_WORDS[source]}`],
  ];
  return (
    <>
      {facts.map(
        ([name, value]) =>
          value !== undefined && (
            <div key={name} className={styles.fact}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </>
  );
}
