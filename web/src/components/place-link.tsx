// A link to a place of the dashboard: opens here, or in another tab as the browser has it.
import type { ReactElement, ReactNode } from 'react';
import { formatPlace, type Place } from '../domain/place';
import { useStores } from '../store/stores';
import { staysHere } from './navigation';
import styles from './place-link.module.css';

interface PlaceLinkProps {
  readonly to: Place;
  readonly title?: string;
  readonly children: ReactNode;
}

export function PlaceLink({ to, title, children }: PlaceLinkProps): ReactElement {
  const { place } = useStores();
  return (
    <a
      className={styles.link}
      href={formatPlace(to)}
      title={title}
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
