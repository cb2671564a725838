// The few line icons of the dashboard, drawn in the colour of the text around them.
import type { ReactElement } from 'react';

const PATHS = {
  close: 'M4 4l8 8M12 4l-8 8',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.5l7 4.5-7 4.5z',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3 3',
  warning: 'M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.1',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9',
  moon: 'M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6z',
  screen: 'M2 3.5h12v7.5H2zM6 13.5h4M8 11v2.5',
  up: 'M3.5 10L8 5.5l4.5 4.5',
  down: 'M3.5 6L8 10.5 12.5 6',
  overview: 'M2 9.5h3l2-6 3 9 2-5h2.5',
  table: 'M2 3.5h12v9H2zM2 6.5h12M6 6.5v6',
  groups: 'M2.5 3.5h5v4h-5zM2.5 9.5h5v3h-5zM9.5 3.5h4v3h-4zM9.5 8.5h4v4h-4z',
  packets: 'M2.5 4h6M2.5 8h11M2.5 12h4M11 4h2.5M9.5 12h4',
  failures: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4',
  listeners:
    'M8 9.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM4.5 11.5a5 5 0 0 1 0-7M11.5 4.5a5 5 0 0 1 0 7M2.2 13.5a8 8 0 0 1 0-11M13.8 2.5a8 8 0 0 1 0 11',
  idle: 'M4 8h8',
  network: 'M2 5.5h9M8.5 3L11 5.5 8.5 8M14 10.5H5M7.5 8L5 10.5 7.5 13',
  peer: 'M2 8h7M6.5 5.5L9 8l-2.5 2.5M12.5 3v10',
  application: 'M2.5 3.5h11v9h-11zM5 6.5L7 8 5 9.5M8.5 10h2.5',
  handshake: 'M6 6a2 2 0 1 1 2.6 1.9c-.4.15-.6.5-.6.9v.7M8 12v.1',
  queue: 'M3 4h10M3 8h10M3 12h5M10.5 10.5l3 3M13.5 10.5l-3 3',
  check: 'M3 8.5l3.2 3.2L13 5',
  open: 'M6.5 3.5H3.5v9h9v-3M9 3.5h3.5V7M12.5 3.5L7.5 8.5',
  back: 'M9.5 3.5L5 8l4.5 4.5',
  link: 'M6.5 9.5l3-3M7.5 4.8l1-1a2.5 2.5 0 0 1 3.6 3.6l-1.4 1.3M8.5 11.2l-1 1a2.5 2.5 0 0 1-3.6-3.6l1.4-1.3',
  star: 'M8 2.5l1.7 3.5 3.8.5-2.8 2.6.7 3.8L8 11.1l-3.4 1.8.7-3.8L2.5 6.5l3.8-.5z',
  download: 'M8 2.5v7M4.8 6.8L8 9.8l3.2-3M3 13h10',
  columns: 'M2.5 3.5h11v9h-11zM6.2 3.5v9M9.8 3.5v9',
  snow: 'M8 2v12M2.8 5l10.4 6M13.2 5L2.8 11',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): ReactElement {
  return (
    <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill={name === 'play' ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
