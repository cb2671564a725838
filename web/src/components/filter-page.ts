// The fields that a filter can name, read from the page that describes the language: there is one such list.
import page from 'filter-language.md?raw';
import { readFields, type FilterField } from '../domain/filter-language';

export const CONNECTION_FIELDS: readonly FilterField[] = readFields(page, 'Fields of connections');
export const PACKET_FIELDS: readonly FilterField[] = readFields(page, 'Fields of packets');
