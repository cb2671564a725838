// A part of the overview with a heading and, beside it, what can be chosen.
import type { ReactElement, ReactNode } from 'react';
import styles from './card.module.css';

interface CardProps {
  readonly title: string;
  readonly tools?: ReactNode;
  readonly testId?: string;
  readonly children: ReactNode;
}

export function Card({ title, tools, testId, children }: CardProps): ReactElement {
  return (
    <section className={styles.card} aria-label={title} data-testid={testId}>
      <div className={styles.head}>
        <h2>{title}</h2>
        {tools}
      </div>
      {children}
    </section>
  );
}
