// The views of the dashboard, as links that open in place.
import type { MouseEvent, ReactElement } from 'react';
import { formatPlace, OVERVIEW, type Place, type View } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Icon, type IconName } from './icon';
import styles from './navigation.module.css';

interface Entry {
  readonly label: string;
  readonly icon: IconName;
  readonly views: readonly View[];
  readonly place: Place;
}

export function Navigation(): ReactElement {
  const { place } = useStores();
  useChanges(place);
  const entries: readonly Entry[] = [
    { label: 'Overview', icon: 'overview', views: ['overview'], place: OVERVIEW },
    {
      label: 'Connections',
      icon: 'table',
      views: ['connections', 'connection'],
      place: { ...place.connections, selected: undefined },
    },
    { label: 'Groups', icon: 'groups', views: ['groups'], place: place.groups },
    { label: 'Packets', icon: 'packets', views: ['packets'], place: place.packets },
  ];
  return (
    <nav className={styles.views} aria-label="Views">
      {entries.map(({ label, icon, views, place: there }) => (
        <a
          key={label}
          className={styles.view}
          href={formatPlace(there)}
          aria-current={views.includes(place.current.view) ? 'page' : undefined}
          onClick={(event) => {
            if (staysHere(event)) {
              event.preventDefault();
              place.go(there);
            }
          }}
        >
          <Icon name={icon} />
          {label}
        </a>
      ))}
    </nav>
  );
}

/** Whether a click on a link is meant for this tab. */
export function staysHere(event: MouseEvent): boolean {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}
