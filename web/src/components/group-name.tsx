// The name of a group, as a link to its connections where a filter names them.
import type { ReactElement } from 'react';
import { CONNECTIONS } from '../domain/place';
import { filterOfGroup, type GroupKind } from '../domain/stats';
import { PlaceLink } from './place-link';

/** Of the 64 digits of a container's id, those that people use. */
const CONTAINER_DIGITS = 12;

export function GroupName({ kind, name }: { kind: GroupKind; name: string }): ReactElement {
  const filter = filterOfGroup(kind, name);
  const shown = kind === 'container' && !name.startsWith('(') ? name.slice(0, CONTAINER_DIGITS) : name;
  return filter === undefined ? (
    <span>{shown}</span>
  ) : (
    <PlaceLink to={{ ...CONNECTIONS, filter }} title={`Show its connections: ${name}`}>
      {shown}
    </PlaceLink>
  );
}
