// A link to a place of the dashboard: opens here, or in another tab as the browser has it.
import type { ReactElement, ReactNode } from 'react';
import { formatPlace, type Place } from '../domain/place';
import { useStores } from '../store/stores';
import { staysHere } from './navigation';
import styles from './place-link.module.css';

interface PlaceLinkProps {
  readonly to: Place;
  readonly title?: string;
  /** Stands in text, where it must be told from it. */
  readonly marked?: boolean;
  readonly children: ReactNode;
}

export function PlaceLink({ to, title, marked, children }: PlaceLinkProps): ReactElement {
  const { place } = useStores();
  return (
    <a
      className={styles.link}
      href={formatPlace(to)}
      title={title}
      data-marked={marked}
      onClick={(event) => {
        if (staysHere(event)) {
          event.preventDefault();
          place.go(to);
        }
      }}
    >
      {children}
    </a>
  );
}
