// What a page must offer to everybody: checked by axe-core, and by hand where
// that has no eyes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Fails if axe-core finds anything to object to in what a page shows now. */
export async function accessible(page, what) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(source);
  const violations = await page.evaluate(async (values) => {
    const found = await window.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] });
    return found.violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map((n) => `${n.target.flat().join(" > ")}: ${n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? ""}`) }));
  }, rules);
  assert.deepEqual(violations, [], `${what} at ${page.url()}`);
}

/** Fails if a page is wider than its window. */
export async function fits(page, what) {
  const { wide, width } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, width: innerWidth }));
  assert.ok(wide <= width, `${what} is ${wide} px wide in a window of ${width} px`);
}

/** The element that has the focus, as a screen reader would name it. */
export async function focused(page) {
  return page.evaluate(() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    if (!at || at === document.body) return "";
    const labelledby = at.getAttribute("aria-labelledby");
    const root = at.getRootNode();
    const label = labelledby ? labelledby.split(" ").map((id) => root.getElementById(id)?.textContent).join(" ") : at.getAttribute("aria-label");
    return `${at.getAttribute("role") ?? at.localName}: ${(label ?? at.textContent ?? "").trim()}`;
  });
}

/** Presses Tab until what has the focus matches, as somebody without a mouse does. */
export async function tabTo(page, name, { key = "Tab", most = 60 } = {}) {
  const seen = [];
  for (let i = 0; i < most; i++) {
    const at = await focused(page);
    if (name.test(at)) return;
    seen.push(at);
    await page.keyboard.press(key);
  }
  throw new Error(`${name} can't be reached by keyboard; there are ${[...new Set(seen)].join(" | ")}`);
}
