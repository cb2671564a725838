// Says across the page that the daemon is gone and that the data below is old.
import type { ReactElement } from 'react';
import { linkStory } from '../domain/link';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Icon } from './icon';
import styles from './link-banner.module.css';

export function LinkBanner({ url }: { url: string }): ReactElement | null {
  const { live, clock } = useStores();
  useChanges(live);
  useChanges(clock);
  const story = linkStory(live.linkState, url, live.lastDataMs, clock.nowMs);
  return story === undefined ? null : (
    <section className={styles.banner} aria-label="Link to the daemon" data-testid="link-banner">
      <Icon name="warning" />
      <span>{story}</span>
    </section>
  );
}
