// The filter language as its page describes it: which fields there are, and what can stand at a place of a
// filter that is being typed.

export interface FilterField {
  readonly name: string;
  readonly type: string;
  readonly meaning: string;
  /** What it can be, where the language names it. */
  readonly words: readonly string[];
}

export interface Suggestion {
  /** What is put in place of the word that is being typed. */
  readonly text: string;
  readonly hint: string;
}

export interface Completion {
  /** Where the word that is being typed begins. */
  readonly from: number;
  readonly suggestions: readonly Suggestion[];
}

const MOST_SUGGESTIONS = 10;
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];
const OPERATORS: Readonly<Partial<Record<string, readonly string[]>>> = {
  name: ['==', '!=', 'contains', 'matches', 'in'],
  word: ['==', '!=', 'in'],
  address: ['==', '!=', 'in'],
};
const CONNECTORS: readonly Suggestion[] = [
  { text: 'and', hint: 'both hold' },
  { text: 'or', hint: 'one of them holds' },
];
const SHORT_FORMS: readonly Suggestion[] = [
  { text: 'host', hint: 'address of either end, as in host 10.0.0.1' },
  { text: 'net', hint: 'network of either end, as in net 10.0.0.0/8' },
  { text: 'port', hint: 'port of either end, as in port 443' },
  { text: 'src', hint: 'of the source, as in src host 10.0.0.1' },
  { text: 'dst', hint: 'of the destination, as in dst port 443' },
  { text: 'not', hint: 'does not hold' },
  { text: 'has', hint: 'was measured, as in has rtt' },
];
const VALUE_HINTS: Readonly<Partial<Record<string, string>>> = {
  time: '50ms, 5s, 2m',
  bytes: '64KiB, 10MB',
  'bytes per second': '10MB/s, 80Mbit/s',
  share: '1%, 0.01',
  number: '10, 10k',
  address: '10.0.0.1, 10.0.0.0/8',
  port: '443',
};

/** Reads the table below a heading of the page: `| \`rtt\` | time | smoothed … |`. */
export function readFields(page: string, heading: string): readonly FilterField[] {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const [table = ''] = section.split('\n## ');
  return table.split('\n').flatMap((line) => {
    const [, name, type, meaning] = /^\| `([\w.]+)` \| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? [];
    if (name === undefined || type === undefined || meaning === undefined) {
      return [];
    }
    const [words = '', list = ''] = type === 'word' ? meaning.split(/: (?=`)/) : [meaning];
    return {
      name,
      type,
      meaning: words.replaceAll('`', ''),
      words: [...list.matchAll(/`([\w-]+)`/g)].map(([, word = '']) => word),
    };
  });
}

/** What can stand where the caret is. */
export function complete(text: string, caret: number, fields: readonly FilterField[]): Completion {
  const before = text.slice(0, caret);
  const [typed = ''] = /[\w.-]*$/.exec(before) ?? [];
  const from = caret - typed.length;
  const tokens = before.slice(0, from).match(/[\w.:/%-]+|[=!<>~]+|[(){},&|]/g) ?? [];
  const suggestions = expected(tokens, fields)
    .filter(({ text: candidate }) => candidate !== typed && matches(candidate, typed))
    .sort((left, right) => rank(left.text, typed) - rank(right.text, typed))
    .slice(0, MOST_SUGGESTIONS);
  return { from, suggestions };
}

function expected(tokens: readonly string[], fields: readonly FilterField[]): readonly Suggestion[] {
  const last = tokens.at(-1);
  const fieldNamed = (name: string | undefined): FilterField | undefined =>
    fields.find((field) => field.name === name);
  if (last === undefined || ['and', 'or', 'not', 'has', '(', '&', '|', '!'].includes(last)) {
    const named = fields.map(({ name, type, meaning }) => ({ text: name, hint: `${meaning} (${type})` }));
    const shortForms = new Set(SHORT_FORMS.map(({ text }) => text));
    return last === 'has' ? named : [...SHORT_FORMS, ...named.filter(({ text }) => !shortForms.has(text))];
  }
  if (['{', ','].includes(last)) {
    return valuesOf(fieldNamed(tokens[tokens.lastIndexOf('in') - 1]));
  }
  if (last === 'in') {
    return [{ text: '{', hint: 'one of, as in {80, 443}' }];
  }
  if (/^[=!<>~]+$|^contains$|^matches$/.test(last)) {
    return valuesOf(fieldNamed(tokens.at(-2)));
  }
  const field = fieldNamed(last);
  if (['src', 'dst', 'net'].includes(last) || ['src', 'dst'].includes(tokens.at(-2) ?? '')) {
    return isWordOfShortForm(last) ? [] : CONNECTORS;
  }
  if (field !== undefined && field.type !== 'yes or no' && !isValue(tokens)) {
    return (OPERATORS[field.type] ?? COMPARISONS).map((operator) => ({
      text: operator,
      hint: VALUE_HINTS[field.type] ?? '',
    }));
  }
  return CONNECTORS;
}

/** A value stands right behind these: `src host 10.0.0.1`. */
function isWordOfShortForm(token: string): boolean {
  return ['src', 'dst', 'host', 'net', 'port', 'portrange'].includes(token);
}

/** Whether the last token is what a field is compared with. */
function isValue(tokens: readonly string[]): boolean {
  return /^[=!<>~]+$/.test(tokens.at(-2) ?? '');
}

function valuesOf(field: FilterField | undefined): readonly Suggestion[] {
  return (field?.words ?? []).map((word) => ({ text: word, hint: field?.name ?? '' }));
}

function matches(candidate: string, typed: string): boolean {
  return typed === '' || candidate.toLowerCase().includes(typed.toLowerCase());
}

/** Those that begin with what was typed come first, then the short ones. */
function rank(candidate: string, typed: string): number {
  if (typed === '') {
    return 0;
  }
  return candidate.startsWith(typed) ? candidate.length / 100 : 1 + candidate.length / 100;
}
