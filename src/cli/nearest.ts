/**
 * What a person may have meant.
 */

/** The known word that is nearest to a typed one, if it is near at all. */
export const nearest = (typed: string, known: ReadonlyArray<string>): string | undefined => {
  const [best] = known
    .map((word) => ({ word, far: distance(typed.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, far }) => far <= Math.max(1, Math.floor(word.length / 3)))
    .toSorted((a, b) => a.far - b.far)
  return best?.word
}

/** The question to add to a refusal. */
export const didYouMean = (typed: string, known: ReadonlyArray<string>): string => {
  const word = nearest(typed, known)
  return word === undefined ? "" : `; did you mean ${word}?`
}

/** How many letters must change to make one word of the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const same = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(same, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
