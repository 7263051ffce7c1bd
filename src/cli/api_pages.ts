/**
 * Makes the reference of nsqd's HTTP API out of its description: docs/openapi.yaml, and a part of docs/http-api.md.
 * `deno task docs` writes both; a test compares them with what this would write.
 *
 * @module
 */
import { DENOSQ_VERSION } from "../base/version.ts";
import { COMMON_ERRORS, type EndpointDescription, ENDPOINTS } from "../nsqd/api/description.ts";

/** Where they are in the project's tree. */
export const API_PAGE = new URL("../../docs/http-api.md", import.meta.url);
/** As above. */
export const OPENAPI_PAGE = new URL("../../docs/openapi.yaml", import.meta.url);

const BEGIN =
  "<!-- Written by `deno task docs` from src/nsqd/api/description.ts. Do not edit up to the end of the page. -->";

/** The page with the reference that it should hold; what stands before it is left as it is. */
export function apiPage(page: string): string {
  const at = page.indexOf(BEGIN);
  const guide = at < 0 ? `${page.trimEnd()}\n\n` : page.slice(0, at);
  return `${guide}${BEGIN}\n\n${reference()}`;
}

/** What docs/openapi.yaml should hold. */
export function openApiPage(): string {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of ENDPOINTS) {
    const path = endpoint.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint) };
  }
  return "# Written by `deno task docs` from src/nsqd/api/description.ts. Do not edit.\n" + yaml({
    openapi: "3.1.0",
    info: {
      title: "denosq nsqd",
      version: DENOSQ_VERSION,
      description: `Errors are \`{"message":"CODE"}\`. Every endpoint may answer: ${
        COMMON_ERRORS.join("; ")
      }.`,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "http://127.0.0.1:4151" }],
    security: [{}, { bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: {
        Error: { type: "object", required: ["message"], properties: { message: { type: "string" } } },
      },
    },
  });
}

function reference(): string {
  const groups = new Map<string, EndpointDescription[]>();
  for (const endpoint of ENDPOINTS) {
    groups.set(endpoint.group, [...groups.get(endpoint.group) ?? [], endpoint]);
  }
  const parts = [...groups].map(([group, endpoints]) =>
    `### ${group}\n\n${endpoints.map(section).join("\n")}`
  );
  return `## Reference

Every endpoint may also answer with one of these; a message is \`{"message":"CODE"}\`, but for \`/ping\` and \`/debug/\`,
which answer as plain text:

${list(COMMON_ERRORS)}

${parts.join("\n")}`;
}

function section(
  { method, path, access, summary, parameters, body, answers, errors, limits, isAddition }:
    EndpointDescription,
): string {
  const role = access === "anyone" ? "anyone" : `role ${access.replace(",", " or ")}`;
  const lines = [
    `- For ${role}.${isAddition ? " Not in NSQ." : ""}`,
    ...parameters.map(({ name, text, isRequired }) =>
      `- \`${name}\`${isRequired ? ", required" : ""}: ${text}`
    ),
    ...body === undefined ? [] : [`- Body: ${body}`],
    ...Object.entries(answers).map(([status, text]) => `- ${status}: ${text}`),
    ...errors.length === 0 ? [] : [`- Errors: ${errors.join("; ")}.`],
    ...limits === undefined ? [] : [`- Limits: ${limits}`],
  ];
  return `#### \`${method} ${path}\`\n\n${summary}\n\n${lines.join("\n")}\n`;
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}

function operation(endpoint: EndpointDescription): unknown {
  const { method, path, group, access, summary, parameters, body, answers, errors, limits } = endpoint;
  const inPath = (name: string) => path.includes(`:${name}`);
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w?)/g, (_, next) => next.toUpperCase())}`,
    tags: [group],
    summary,
    ...limits !== undefined && { description: `Limits: ${limits}` },
    ...access === "anyone" && { security: [{}] },
    ...access !== "anyone" && { "x-role": access },
    ...parameters.length > 0 && {
      parameters: parameters.map(({ name, text, isRequired = false }) => ({
        name,
        in: inPath(name) ? "path" : "query",
        required: isRequired,
        description: text,
        schema: { type: "string" },
      })),
    },
    ...body !== undefined && { requestBody: { description: body, content: { "*/*": {} } } },
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, description]) => [status, { description }]),
      ),
      ...responses(errors),
    },
  };
}

/** Errors by their status; one may be told in several lines, and a line may tell of several. */
function responses(errors: readonly string[]): Record<string, unknown> {
  const byStatus = new Map<string, string[]>();
  for (const error of errors) {
    for (const status of new Set(error.match(/\b[45]\d\d\b/g))) {
      byStatus.set(status, [...byStatus.get(status) ?? [], error]);
    }
  }
  const content = { "application/json": { schema: { $ref: "#/components/schemas/Error" } } };
  return Object.fromEntries(
    [...byStatus].map(([status, texts]) => [status, { description: texts.join("; "), content }]),
  );
}

/** A value as YAML: texts in the quotes of JSON, which YAML reads the same. */
function yaml(value: unknown, indent = ""): string {
  if (typeof value !== "object" || value === null) return ` ${JSON.stringify(value)}\n`;
  const more = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return " []\n";
    // The first line of an item stands behind its dash.
    const items = value.map((item) => `${indent}-${yaml(item, more).replace(/^\n\s+/, " ")}`);
    return `\n${items.join("")}`;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return " {}\n";
  const key = (name: string) => /^[A-Za-z][\w-]*$/.test(name) ? name : JSON.stringify(name);
  const text = entries.map(([name, field]) => `${indent}${key(name)}:${yaml(field, more)}`).join("");
  return indent === "" ? text : `\n${text}`;
}
