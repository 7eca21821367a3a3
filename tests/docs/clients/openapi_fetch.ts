// A life of an account through openapi-fetch, with the types of openapi-typescript.
import createClient from "openapi-fetch";
import type { components, paths } from "./client";
import { equal, serviceUrl, someAddress } from "./support";

type Task = components["schemas"]["Task"];

async function main() {
  const client = createClient<paths>({ baseUrl: serviceUrl });
  const body = { email: someAddress(), password: "correct horse battery" };
  equal((await client.POST("/api/auth/signup", { body })).data?.data.email, body.email);
  const { data, error } = await client.POST("/api/auth/login", { body });
  if (!data) throw new Error(error.code);

  const headers = { Authorization: `Bearer ${data.data.access_token}` };
  const user = { user_id: data.data.user_id };
  const tasks = "/api/{user_id}/tasks";
  const created = await client.POST(tasks, { headers, params: { path: user }, body: { title: "Tea" } });
  equal(created.response.status, 201);
  const task = created.data?.data as Task;
  const list = await client.GET(tasks, { headers, params: { path: user, query: { limit: 1 } } });
  equal(list.data?.data, [task]);

  const one = { headers, params: { path: { ...user, task_id: task.id } } };
  const path = "/api/{user_id}/tasks/{task_id}";
  equal((await client.GET(path, one)).data?.data, task);
  equal((await client.PUT(path, { ...one, body: { title: "Milk" } })).data?.data.title, "Milk");
  const done = await client.PATCH("/api/{user_id}/tasks/{task_id}/complete", one);
  equal(done.data?.data.is_completed, true);
  equal((await client.DELETE(path, one)).response.status, 204);
  equal((await client.GET(path, one)).error?.code, "not-found");
  equal((await client.POST("/api/auth/logout", { headers })).response.status, 204);
  equal((await client.GET(tasks, { headers, params: { path: user } })).error?.status, 401);
  console.log("all done");
}

main();
