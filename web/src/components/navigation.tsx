// The views of the dashboard, as links that open in place.
import { useEffect, useRef, type MouseEvent, type ReactElement } from 'react';
import { formatPlace, HOST, LISTENERS, OVERVIEW, type Place, type View } from '../domain/place';
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
  const links = useRef<HTMLElement>(null);
  const { view } = place.current;
  // In a narrow window the views do not all fit.
  useEffect(() => {
    links.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [view]);
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
    { label: 'Failures', icon: 'failures', views: ['failures'], place: place.failures },
    { label: 'Listeners', icon: 'listeners', views: ['listeners'], place: LISTENERS },
    { label: 'Host', icon: 'screen', views: ['host'], place: HOST },
  ];
  return (
    <nav ref={links} className={styles.views} aria-label="Views">
      {entries.map(({ label, icon, views, place: there }) => (
        <a
          key={label}
          className={styles.view}
          href={formatPlace(there)}
          aria-current={views.includes(view) ? 'page' : undefined}
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
