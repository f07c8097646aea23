// One conversation by the TypeScript SDK 1.x: typescript1.mjs URL TRANSPORT CALL…
// CALL is {"name", "arguments"}; what came of it is printed as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

const [url, kind, ...calls] = process.argv.slice(2);
const client = new Client(
  { name: "typescript-1", version: "1" },
  { capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} } },
);
client.setRequestHandler(CreateMessageRequestSchema, async ({ params }) => ({
  role: "assistant",
  model: "loud",
  content: { type: "text", text: [params.messages[0].content].flat()[0].text.toUpperCase() },
}));
client.setRequestHandler(ElicitRequestSchema, async () => ({
  action: "accept",
  content: { name: "Ann" },
}));
client.setRequestHandler(ListRootsRequestSchema, async () => ({
  roots: [{ uri: "file:///home/ann" }],
}));
const at = new URL(url);
const transport = kind === "sse" ? new SSEClientTransport(at) : new StreamableHTTPClientTransport(at);
await client.connect(transport);
const said = { tools: (await client.listTools()).tools.map((tool) => tool.name), texts: [], steps: 0 };
for (const call of calls.map((each) => JSON.parse(each))) {
  const result = await client.callTool(call, undefined, { onprogress: () => said.steps++ });
  said.texts.push(result.content[0].text);
}
console.log(JSON.stringify(said));
await client.close();
process.exit(0);
