// The open connections in groups.
import type { ReactElement } from 'react';
import { GroupsView } from '../components/groups-view';
import type { GroupsPlace } from '../domain/place';

export default function Groups({ place: here }: { place: GroupsPlace }): ReactElement {
  return <GroupsView here={here} />;
}
