// The fields of the language are those of its page, and a filter is completed by them.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { complete, readFields } from './filter-language';

const PAGE = readFileSync('../tcpviewer/docs/filter.md', 'utf8');
const FIELDS = readFields(PAGE, 'Fields of connections');

/** What is offered where the bar stands. */
function offered(text: string): string[] {
  const caret = text.indexOf('|');
  return complete(text.replace('|', ''), caret, FIELDS).suggestions.map((suggestion) => suggestion.text);
}

describe('filter language', () => {
  it('reads every field of the page', () => {
    const rows = (heading: string): number =>
      (PAGE.split(`## ${heading}`)[1] ?? '').split('\n## ')[0]?.match(/^\| `/gm)?.length ?? 0;
    for (const heading of ['Fields of connections', 'Fields of packets']) {
      expect(rows(heading)).toBeGreaterThan(20);
      expect(readFields(PAGE, heading)).toHaveLength(rows(heading));
    }
    expect(FIELDS.find(({ name }) => name === 'state')?.words).toContain('fin-wait-1');
    expect(FIELDS.find(({ name }) => name === 'rtt')).toMatchObject({ type: 'time', words: [] });
  });

  it.each([
    ['|', 'port'],
    ['ret|', 'retransmissions'],
    ['port == 443 and rt|', 'rtt'],
    ['not (sta|', 'state'],
    ['rtt |', '>='],
    ['interface con|', 'contains'],
    ['state == est|', 'established'],
    ['state in {closed, fin|', 'fin-wait-1'],
    ['close_reason in |', '{'],
    ['port 443 |', 'and'],
    ['rtt > 50ms o|', 'or'],
    ['has rt|', 'rtt'],
  ])('offers in %j among others %j', (text, wanted) => {
    expect(offered(text)).toContain(wanted);
  });

  it('puts what begins with the word first, and says where the word begins', () => {
    expect(offered('rtt|')[0]).toBe('rtt.min');
    expect(complete('open and sta', 12, FIELDS)).toMatchObject({
      from: 9,
      suggestions: [{ text: 'state' }, {}, {}],
    });
  });

  it('offers nothing where a number or an address is expected', () => {
    expect(offered('rtt > |')).toEqual([]);
    expect(offered('src host |')).toEqual([]);
  });
});
