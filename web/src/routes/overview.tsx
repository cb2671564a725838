// What is going on, and what is wrong, at a glance.
import type { ReactElement } from 'react';
import { OverviewCharts } from '../components/overview-charts';
import { OverviewTiles } from '../components/overview-tiles';
import { TopTalkers } from '../components/top-talkers';
import { Unhealthy } from '../components/unhealthy';
import styles from './overview.module.css';

export function Overview(): ReactElement {
  return (
    <div className={styles.overview} tabIndex={0} role="region" aria-label="Overview">
      <OverviewTiles />
      <div className={styles.parts}>
        <OverviewCharts />
        <div className={styles.side}>
          <Unhealthy />
          <TopTalkers />
        </div>
      </div>
    </div>
  );
}
