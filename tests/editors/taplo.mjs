// Taplo's language server (the engine of Even Better TOML), in this process: opens a text and queries a position in it.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import lsp from "@taplo/lsp";

const environment = {
  now: () => new Date(),
  envVar: (name) => (name === "RUST_LOG" ? "off" : process.env[name]),
  envVars: () => Object.entries(process.env),
  stdErrAtty: () => false,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  glob: () => [],
  readFile,
  writeFile,
  // `root:///` is the workspace of files outside of any.
  urlToFilePath: (url) => (url.startsWith("file:") ? fileURLToPath(url) : new URL(url).pathname),
  isAbsolute: (path) => path.startsWith("/"),
  cwd: () => process.cwd(),
  findConfigFile: () => undefined,
};

export class Taplo {
  #server;
  #last = 0;
  #waiting = new Map();
  #diagnostics = new Map();

  static async start(folder) {
    const taplo = new Taplo();
    taplo.#server = await lsp.TaploLsp.initialize(environment, { onMessage: (message) => taplo.#receive(message) });
    const root = pathToFileURL(folder).href;
    await taplo.#ask("initialize", {
      processId: process.pid,
      rootUri: root,
      capabilities: {},
      workspaceFolders: [{ uri: root, name: "connect" }],
      initializationOptions: { configurationSection: "evenBetterToml" },
    });
    taplo.#say("initialized", {});
    return taplo;
  }

  // The completions at `|` in the text.
  async completions(file, marked) {
    const answer = await this.#at("textDocument/completion", file, marked);
    return (answer?.items ?? answer ?? []).map((item) => item.label).sort();
  }

  // The hover text of the key at `|` in the text.
  async hover(file, marked) {
    const answer = await this.#at("textDocument/hover", file, marked);
    return answer?.contents?.value ?? null;
  }

  // The diagnostics of this text. The server publishes three lists: of the syntax, of references and, after loading the
  // schema, of values.
  async problems(file, text) {
    const uri = pathToFileURL(file).href;
    const lists = [];
    const published = new Promise((resolve) => {
      this.#diagnostics.set(uri, (list) => lists.push(list) === 3 && resolve());
    });
    this.#open(uri, text);
    await published;
    return lists.flat().map((problem) => problem.message);
  }

  stop() {
    this.#server.dispose();
  }

  async #at(method, file, marked) {
    const [before, after] = marked.split("|");
    const uri = pathToFileURL(file).href;
    const lines = before.split("\n");
    const position = { line: lines.length - 1, character: lines.at(-1).length };
    // The schema is loaded once all problems are known.
    await this.problems(file, before + after);
    return this.#ask(method, { textDocument: { uri }, position });
  }

  #open(uri, text) {
    this.#say("textDocument/didOpen", { textDocument: { uri, languageId: "toml", version: ++this.#last, text } });
  }

  #ask(method, params) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#server.send({ jsonrpc: "2.0", id, method, params });
    });
  }

  #say(method, params) {
    this.#server.send({ jsonrpc: "2.0", method, params });
  }

  #receive(message) {
    if (message.method === "textDocument/publishDiagnostics") {
      this.#diagnostics.get(message.params.uri)?.(message.params.diagnostics);
    } else if (message.method === "workspace/configuration") {
      // Without catalogues of schemas from the internet.
      const result = message.params.items.map(() => ({ schema: { enabled: true, catalogs: [] } }));
      this.#server.send({ jsonrpc: "2.0", id: message.id, result });
    } else if (this.#waiting.has(message.id)) {
      const { resolve, reject } = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      message.error ? reject(new Error(JSON.stringify(message.error))) : resolve(message.result);
    }
  }
}
