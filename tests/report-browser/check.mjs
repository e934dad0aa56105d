// Opens a report as a person would: `node check.mjs REPORT.html [FOLDER_FOR_SCREENSHOTS]`.
//
// Ends with 1 and a line for each thing that is wrong: errors on the console, requests to the
// network, figures that are missing or empty, filters and links that do nothing, what axe-core finds
// (contrast, labels, roles), and pages wider than a phone.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [report, pictures] = process.argv.slice(2);
if (!report || !existsSync(report)) {
  console.error("usage: node check.mjs REPORT.html [FOLDER_FOR_SCREENSHOTS]");
  process.exit(2);
}
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const url = pathToFileURL(resolve(report)).href;
const candidates = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].filter((path) => path && existsSync(path));
if (candidates.length === 0) {
  console.error("no chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to its path");
  process.exit(2);
}

const wrong = [];
const check = (is, what) => {
  if (!is) wrong.push(what);
};

// A container gives the browser no sandbox; the only page is a file of our own.
const browser = await chromium.launch({ executablePath: candidates[0], args: ["--no-sandbox", "--disable-gpu"] });

const open = async (options, visit) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const say = (what) => wrong.push(`${options.name}: ${what}`);
  page.on("console", (message) => message.type() !== "log" && say(`console: ${message.text()}`));
  page.on("pageerror", (error) => say(`script: ${error.message}`));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) say(`asks the network for ${request.url()}`);
  });
  await page.goto(url);
  await visit(page, say);
  await context.close();
};

const picture = async (page, name) => {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: false });
};

for (const scheme of ["light", "dark"]) {
  for (const [size, viewport] of [["wide", { width: 1280, height: 900 }], ["phone", { width: 390, height: 844 }]]) {
    const name = `${scheme}-${size}`;
    await open({ name, colorScheme: scheme, viewport }, async (page, say) => {
      await picture(page, `${name}-top`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > viewport.width) say(`the page is ${width} pixels wide on a screen of ${viewport.width}`);
      const empty = await page.evaluate(() =>
        [...document.querySelectorAll("main section svg.figure")]
          .filter((svg) => !svg.closest("details:not([open])"))
          .filter((svg) => svg.getBoundingClientRect().height < 40 || !svg.querySelector("path, circle, line, rect"))
          .map((svg) => svg.getAttribute("aria-label")),
      );
      if (empty.length) say(`empty figures: ${empty.join(", ")}`);
      // A case in full, so that its figures are looked at as well.
      const summary = page.locator("details.case > summary").first();
      if (await summary.count()) {
        await summary.click();
        await summary.scrollIntoViewIfNeeded();
        await picture(page, `${name}-case`);
      }
      await page.addScriptTag({ path: axe }).catch(async () => {
        // The page's policy allows scripts in it, not files: the checker goes in as text.
        const { readFileSync } = await import("node:fs");
        await page.evaluate(readFileSync(axe, "utf8"));
      });
      const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const violation of found.violations) {
        const where = violation.nodes.slice(0, 3).map((node) => node.target.join(" "));
        say(`axe ${violation.id} (${violation.impact}), ${violation.nodes.length} times: ${violation.help}; ${where.join(" | ")}`);
      }
    });
  }
}

await open({ name: "filter", viewport: { width: 1280, height: 900 } }, async (page, say) => {
  const figures = await page.locator("svg.figure").count();
  if (figures === 0) say("no figure");
  for (const select of await page.locator("#filter select").all()) {
    const facet = await select.getAttribute("name");
    const values = await select.locator("option").evaluateAll((options) => options.map((option) => option.value));
    const shown = (value) =>
      page.evaluate(
        ([facet, value]) => [...document.querySelectorAll(`[${facet}]`)]
          .filter((element) => !element.classList.contains("filtered"))
          .filter((element) => value === "" || element.getAttribute(facet) === value).length,
        [facet, value],
      );
    const others = (value) =>
      page.evaluate(
        ([facet, value]) => [...document.querySelectorAll(`[${facet}]`)]
          .filter((element) => element.getAttribute(facet) !== value && element.getClientRects().length).length,
        [facet, value],
      );
    for (const value of values.slice(1)) {
      await select.selectOption(value);
      if ((await shown(value)) === 0) say(`${facet}=${value} shows nothing`);
      if ((await others(value)) !== 0) say(`${facet}=${value} leaves others visible`);
    }
    await page.locator("#filter button").click();
    await page.waitForTimeout(20);
    if (await page.locator(".filtered").count()) say(`${facet}: \`Show all\` does not`);
  }
  // A link to a case opens it, by mouse and by address.
  const link = page.locator('a[href^="#case-"]').first();
  if (await link.count()) {
    const target = (await link.getAttribute("href")).slice(1);
    await link.focus();
    await page.keyboard.press("Enter");
    await page.waitForTimeout(50);
    const isOpen = () => page.evaluate((id) => document.getElementById(id)?.open === true, target);
    if (!(await isOpen())) say(`the link to ${target} does not open it`);
    await page.goto("about:blank");
    await page.goto(`${url}#${target}`);
    if (!(await isOpen())) say(`the address of ${target} does not open it`);
  }
  // The first key press reaches the link over the navigation.
  await page.goto(url);
  await page.keyboard.press("Tab");
  const focused = await page.evaluate(() => document.activeElement.className);
  if (focused !== "skip") say(`the first Tab reaches \`${focused}\`, not the link to the content`);
});

// Without scripts all of it is there, and nothing to filter with.
await open({ name: "without scripts", javaScriptEnabled: false, viewport: { width: 1280, height: 900 } }, async (page, say) => {
  if (await page.locator("#filter").isVisible().catch(() => false)) say("a filter that cannot work is shown");
});

// On paper every case is open.
await open({ name: "print", viewport: { width: 800, height: 1100 } }, async (page, say) => {
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  if (paper !== "rgb(255, 255, 255)") say(`the paper is ${paper}`);
  const pdf = await page.pdf({ format: "A4" });
  if (pdf.length < 10_000) say("the print is empty");
});

await browser.close();
for (const line of wrong) console.error(line);
if (wrong.length) process.exit(1);
console.log(`${report}: figures, filter, links, keyboard, contrast, labels, print: as they should be`);
