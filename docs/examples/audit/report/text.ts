/**
 * Numbers and names for people, the same in every locale.
 */

/** A number with thousands separated. */
export const grouped = (number: number): string => String(number).replace(/\B(?=(?:[0-9]{3})+$)/g, ",")

/** A number of things. */
export const counted = (number: number, thing: string): string =>
  `${grouped(number)} ${number === 1 ? thing : `${thing}s`}`

/** A size for people. */
export const sizeOf = (bytes: number): string => {
  if (bytes < 1024) return counted(bytes, "byte")
  const exponent = Math.min(Math.floor(Math.log2(bytes) / 10), units.length)
  return `${(bytes / 1024 ** exponent).toFixed(1)} ${units[exponent - 1]}`
}

const units = ["KiB", "MiB", "GiB", "TiB"]

/** A text quoted as one word of a shell. */
export const shellWord = (text: string): string =>
  /^[\w./@%+:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

/** Removes line breaks and control characters, which names of files may contain. */
export const harmless = (text: string): string => text.replace(controls, " ")

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g
