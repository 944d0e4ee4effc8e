// Hands calls to @rudderstack/rudder-sdk-node as its users do. Standard input and output: as of python_sdk.py.
const { readFileSync } = require("node:fs");
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");

async function main() {
  const task = JSON.parse(readFileSync(0, "utf8"));
  const errors = [];
  const client = new RudderAnalytics(task.write_key, {
    dataPlaneUrl: task.url,
    gzip: task.gzip,
    logLevel: "none",
    errorHandler: (error) => errors.push(String(error)),
  });
  const settled = task.calls.map(({ type, ...call }) => new Promise((resolve) => client[type](call, resolve)));
  while (client.queue.length) await client.flush();
  await Promise.all(settled);
  process.stdout.write(JSON.stringify(errors));
}

main();
