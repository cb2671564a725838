// Finds commands by what was typed: every word must occur, those at the start of a word count most.

/** How well a text fits the words, higher is better; undefined when it does not. */
export function matchScore(text: string, typed: string): number | undefined {
  const lower = text.toLowerCase();
  let score = 0;
  for (const word of typed.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = lower.indexOf(word);
    if (at < 0) {
      return undefined;
    }
    const startsWord = at === 0 || !/[a-z0-9]/.test(lower.charAt(at - 1));
    score += (startsWord ? 10 : 1) + word.length / lower.length;
  }
  return score;
}
