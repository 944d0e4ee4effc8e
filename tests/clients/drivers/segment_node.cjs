// Hands calls to @segment/analytics-node as its users do. Standard input and output: as of python_sdk.py.
const { readFileSync } = require("node:fs");
const { Analytics } = require("@segment/analytics-node");

const PATIENCE_MS = 60_000;

async function main() {
  const task = JSON.parse(readFileSync(0, "utf8"));
  const errors = [];
  const analytics = new Analytics({ writeKey: task.write_key, host: task.url });
  analytics.on("error", ({ reason }) => errors.push(String(reason)));
  for (const { type, ...call } of task.calls) analytics[type](call);
  await analytics.closeAndFlush({ timeout: PATIENCE_MS });
  process.stdout.write(JSON.stringify(errors));
}

main();
