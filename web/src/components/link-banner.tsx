// Says across the page that the data below is old, and why: the daemon is gone, or its data stays away. Or, more
// quietly, that the clocks differ.
import type { ReactElement } from 'react';
import { formatClock, formatDuration } from '../domain/format';
import { linkStory, skewStory } from '../domain/link';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import { Icon } from './icon';
import styles from './link-banner.module.css';

export function LinkBanner({ url }: { url: string }): ReactElement | null {
  const stores = useStores();
  useChanges(stores.link);
  useChanges(stores.clock);
  const trouble = storyOf(stores, url);
  const story = trouble ?? skewStory(stores.link.aheadMs);
  return story === undefined ? null : (
    <section
      className={styles.banner}
      aria-label="Link to the daemon"
      data-testid="link-banner"
      data-quiet={trouble === undefined}
    >
      <Icon name="warning" />
      <span>{story}</span>
    </section>
  );
}

function storyOf({ link, clock }: Stores, url: string): string | undefined {
  const story = linkStory(link.state, url, link.lastDataMs, clock.nowMs);
  const staleMs = link.state.kind === 'live' ? link.staleMs(clock.nowMs) : undefined;
  if (story !== undefined || staleMs === undefined) {
    return story;
  }
  return `Stale since ${formatClock(clock.nowMs - staleMs).slice(0, 8)}: the newest data is ${formatDuration(staleMs)} old.`;
}
