// One conversation by the TypeScript SDK 2.x: typescript2.mjs URL MODE CALL…
// MODE is auto (the newest revision that the server has) or legacy.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, mode, ...calls] = process.argv.slice(2);
const client = new Client(
  { name: "typescript-2", version: "1" },
  {
    capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} },
    versionNegotiation: { mode },
  },
);
client.setRequestHandler("sampling/createMessage", async ({ params }) => ({
  role: "assistant",
  model: "loud",
  content: { type: "text", text: [params.messages[0].content].flat()[0].text.toUpperCase() },
}));
client.setRequestHandler("elicitation/create", async () => ({
  action: "accept",
  content: { name: "Ann" },
}));
client.setRequestHandler("roots/list", async () => ({ roots: [{ uri: "file:///home/ann" }] }));
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const said = { tools: (await client.listTools()).tools.map((tool) => tool.name), texts: [], steps: 0 };
for (const call of calls.map((each) => JSON.parse(each))) {
  const result = await client.callTool(call, { onprogress: () => said.steps++ });
  said.texts.push(result.content[0].text);
}
console.log(JSON.stringify(said));
await client.close();
process.exit(0);
