/**
 * As much XML as the documents of the suite have: elements, attributes, text, comments and the five entities.
 */

/** An element; names are without their prefix. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: ReadonlyArray<Element>
  readonly text: string
}

/** Parses a document. Throws where it ends too early. */
export const parse = (source: string): Element => {
  const text = source.replace(/<!--[\s\S]*?-->/g, "").replace(/<\?[\s\S]*?\?>|<!DOCTYPE[^>]*>/g, "")
  let at = text.indexOf("<")

  const element = (): Element => {
    const open = /<([^\s/>]+)((?:\s+[^\s=>]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>/y
    open.lastIndex = at
    const [all, name = "", given = "", closed] = open.exec(text) ?? []
    if (all === undefined) throw new Error(`no element at: ${text.slice(at, at + 60)}`)
    at += all.length
    const attributes = Object.fromEntries(
      [...given.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(([, key = "", double, single]) => [
        key,
        plain(double ?? single ?? "")
      ])
    )
    const children: Array<Element> = []
    let inner = ""
    while (closed === "") {
      const next = text.indexOf("<", at)
      if (next < 0) throw new Error(`<${name}> does not end`)
      inner += plain(text.slice(at, next))
      at = next
      if (text.startsWith("<![CDATA[", at)) {
        const end = text.indexOf("]]>", at)
        inner += text.slice(at + 9, end)
        at = end + 3
      } else if (text.startsWith("</", at)) {
        at = text.indexOf(">", at) + 1
        break
      } else children.push(element())
    }
    return { name: name.slice(name.indexOf(":") + 1), attributes, children, text: inner.trim() }
  }
  return element()
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }

const plain = (text: string): string => text.replace(/&(\w+);/g, (all, name: string) => entities[name] ?? all)

/** The elements of a document that are its own: a document within it, which it invokes, has its own. */
const ownOf = ({ children }: Element): ReadonlyArray<Element> => children.filter(({ name }) => name !== "scxml")

/** Whether something holds of an element or of one within it. */
export const find = (element: Element, holds: (element: Element) => boolean): boolean =>
  holds(element) || ownOf(element).some((child) => find(child, holds))

/** The elements of a name, of which an element may be one. */
export const all = (element: Element, name: string): ReadonlyArray<Element> => [
  ...(element.name === name ? [element] : []),
  ...ownOf(element).flatMap((child) => all(child, name))
]
