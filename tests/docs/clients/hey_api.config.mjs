// DOCUMENT and OUTPUT are set by the test.
export default {
  input: process.env.DOCUMENT,
  output: { path: process.env.OUTPUT },
  logs: { file: false },
  plugins: [
    "@hey-api/client-fetch",
    { name: "@hey-api/sdk", validator: { request: false, response: "zod" } },
    "zod",
    "valibot",
  ],
};
