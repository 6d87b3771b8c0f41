// Tombi's language server, queried over its standard streams, and its linter.
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";

const program = fileURLToPath(new URL("node_modules/.bin/tombi", import.meta.url));

// The linter's output for these files in strict mode; empty if they are valid.
export function lint(files) {
  const { status, stdout, stderr } = spawnSync(program, ["lint", "--offline", "--error-on-warnings", "--quiet", ...files], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return status === 0 ? "" : stdout + stderr;
}

export class Tombi {
  #child = spawn(program, ["lsp", "--offline"], { stdio: ["pipe", "pipe", "ignore"] });
  #received = Buffer.alloc(0);
  #waiting = new Map();
  #judged = new Map();
  #last = 0;

  static async start(folder) {
    const tombi = new Tombi();
    tombi.#child.stdout.on("data", (bytes) => tombi.#receive(bytes));
    const uri = pathToFileURL(folder).href;
    const workspaceFolders = [{ uri, name: "connect" }];
    await tombi.#ask("initialize", { processId: process.pid, rootUri: uri, capabilities: {}, workspaceFolders });
    tombi.#send({ method: "initialized", params: {} });
    return tombi;
  }

  // The hover text of the key at `|` in the text.
  async hover(file, marked) {
    const answer = await this.#at("textDocument/hover", file, marked);
    return answer?.contents?.value ?? null;
  }

  // The completions at `|` in the text.
  async completions(file, marked) {
    const answer = await this.#at("textDocument/completion", file, marked);
    return (answer?.items ?? answer ?? []).map((item) => item.label).sort();
  }

  stop() {
    this.#child.kill();
  }

  async #at(method, file, marked) {
    const [before, after] = marked.split("|");
    const uri = pathToFileURL(file).href;
    const lines = before.split("\n");
    const position = { line: lines.length - 1, character: lines.at(-1).length };
    const textDocument = { uri, languageId: "toml", version: ++this.#last, text: before + after };
    const judged = new Promise((resolve) => this.#judged.set(uri, resolve));
    this.#send({ method: "textDocument/didOpen", params: { textDocument } });
    await judged;
    const answer = await this.#ask(method, { textDocument: { uri }, position });
    this.#send({ method: "textDocument/didClose", params: { textDocument: { uri } } });
    return answer;
  }

  #ask(method, params) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ id, method, params });
    });
  }

  #send(message) {
    const text = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.#child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  #receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.#received.toString("latin1", 0, end))[1]);
      const body = this.#received.subarray(end + 4, end + 4 + length);
      if (body.length < length) return;
      this.#received = this.#received.subarray(end + 4 + length);
      this.#answered(JSON.parse(body));
    }
  }

  #answered(message) {
    if (message.method === "textDocument/publishDiagnostics") this.#judged.get(message.params.uri)?.();
    if (message.method) {
      // A request of the server, such as for its settings, needs an answer.
      if (message.id !== undefined) this.#send({ id: message.id, result: null });
      return;
    }
    const { resolve, reject } = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    message.error ? reject(new Error(JSON.stringify(message.error))) : resolve(message.result);
  }
}
