// Completion, hover and diagnostics of editors in connector files and in connect.toml.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Taplo } from "./taplo.mjs";
import { Tombi, lint } from "./tombi.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const connector = (text) => [`${root}connectors.d/editor.toml`, `#:schema ../schemas/connector.schema.json\n${text}`];
const settings = (text) => [`${root}connectors.d/connect.toml`, `#:schema ../schemas/connect.schema.json\n${text}`];
const sink = 'topics = ["a"]\n[[sinks]]\ntype = "stdout"\n';

const editors = {};
before(async () => {
  editors.taplo = await Taplo.start(root);
  editors.tombi = await Tombi.start(root);
});
after(() => Object.values(editors).forEach((editor) => editor.stop()));

const offered = [
  ["keys of a connector", connector('|\ntopics = ["a"]\n[[sinks]]\ntype = "stdout"\n'), ["batch", "errors", "start", "topic", "tasks"]],
  ["keys of its tables", connector(`${sink}[errors]\n|\n`), ["dead_letter_topic", "stop_after", "tolerance"]],
  ["keys of the engine and of plugins in a sink", connector(`${sink}|\n`), ["when", "value_format", "migrations", "show_metadata"]],
  ["keys of transforms", connector('topics = ["a"]\n[[transforms]]\ntype = "cast"\n|\n[[sinks]]\ntype = "stdout"\n'), ["fields", "when"]],
  ["keys of a source", connector('topic = "a"\n[source]\ntype = "pos_simulator"\n|\n'), ["seed", "rate"]],
  ["tables of connect.toml", settings("|\n"), ["defaults", "http", "kafka", "registry"]],
  ["keys of its tables", settings("[http]\n|\n"), ["address", "certificate", "token_file"]],
];
for (const [what, place, expected] of offered) {
  for (const name of ["taplo", "tombi"]) {
    test(`${name} offers the ${what}`, async () => {
      const found = await editors[name].completions(...place);
      for (const word of expected) assert.ok(found.includes(word), `${word} is not among ${found}`);
    });
  }
}

const explained = [
  ["a key of a connector", connector(`ta|sks = 1\n${sink}`), "How many tasks read concurrently", ["taplo", "tombi"]],
  ["a key of its tables", connector(`${sink}[batch]\nlin|ger = "1s"\n`), "How long a batch may wait", ["taplo", "tombi"]],
  ["a key of a source", connector('topic = "a"\n[source]\ntype = "pos_simulator"\nse|ed = 1\n'), "The same seed", ["taplo", "tombi"]],
  // Taplo does not explain keys in an array of tables.
  ["a key of a plugin", connector(`${sink}show_|metadata = true\n`), "Prints topic, partition and offset", ["tombi"]],
  ["a setting of the client", settings('[kafka]\n"security.pro|tocol" = "SSL"\n'), "SASL_SSL", ["taplo", "tombi"]],
  ["a key of connect.toml", settings('[http]\nadd|ress = "off"\n'), "Where to listen", ["taplo", "tombi"]],
];
for (const [what, place, expected, names] of explained) {
  for (const name of names) {
    test(`${name} explains ${what}`, async () => {
      const found = await editors[name].hover(...place);
      assert.ok(found?.includes(expected), `${found}`);
    });
  }
}

const underlined = [
  ["nothing in a right connector", connector(sink), []],
  ["an unknown key", connector(`taks = 1\n${sink}`), ["'taks' was unexpected"]],
  ["a key of another plugin", connector(`${sink}migrations = "m"\n`), ["'migrations' was unexpected"]],
  ["a wrong word", connector('topics = ["a"]\n[[sinks]]\ntype = "stdou"\n'), ["is not one of"]],
  ["an unknown key of connect.toml", settings("[http]\nadress = 1\n"), ["'adress' was unexpected"]],
];
for (const [what, place, expected] of underlined) {
  test(`taplo underlines ${what}`, async () => {
    const found = await editors.taplo.problems(...place);
    assert.equal(found.length > 0, expected.length > 0, `${found}`);
    for (const part of expected) assert.ok(found.some((message) => message.includes(part)), `${found}`);
  });
}

test("tombi's strict mode is silent about every shipped file", () => {
  const connectors = readdirSync(`${root}connectors.d`).filter((name) => name.endsWith(".toml"));
  assert.ok(connectors.length > 0);
  assert.equal(lint([...connectors.map((name) => `${root}connectors.d/${name}`), `${root}examples/connect.toml`]), "");
});
