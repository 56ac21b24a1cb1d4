/**
 * Light, dark, or what the system prefers; the choice is kept in this browser.
 */
import { byId } from "./dom.ts"

const themes = ["auto", "light", "dark"] as const
type Theme = (typeof themes)[number]

const key = "holdfast-inspector-theme"

/** Applies the kept theme, and lets the button go through the three. */
export const startTheme = (): void => {
  const button = byId("theme")
  let theme: Theme = themes.find((known) => known === localStorage.getItem(key)) ?? "auto"
  const apply = (): void => {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme")
    else document.documentElement.setAttribute("data-theme", theme)
    button.textContent = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" }[theme]
    button.setAttribute("aria-label", `Theme: ${theme}. Change it`)
  }
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto"
    localStorage.setItem(key, theme)
    apply()
  })
  apply()
}
