// A life of an account through the client of openapi-generator's typescript-fetch.
import {
  AuthApi, Configuration, type Credentials, ProblemAnswerFromJSON, ResponseError, TasksApi,
} from "./client";
import { equal, serviceUrl, someAddress } from "./support";

async function problem(call: Promise<unknown>) {
  try {
    await call;
  } catch (error) {
    if (error instanceof ResponseError) return ProblemAnswerFromJSON(await error.response.json());
    throw error;
  }
  throw new Error("nothing was refused");
}

async function main() {
  const credentials: Credentials = { email: someAddress(), password: "correct horse battery" };
  const anyone = new AuthApi(new Configuration({ basePath: serviceUrl }));
  const opened = await anyone.signup({ signUp: credentials });
  equal(opened.data.email, credentials.email);
  const session = (await anyone.login({ credentials })).data;

  const { userId, accessToken } = session;
  const configuration = new Configuration({ basePath: serviceUrl, accessToken });
  const tasks = new TasksApi(configuration);
  const taskCreate = { title: "Água às 🌱" };
  const created = (await tasks.createTask({ userId, taskCreate, idempotencyKey: "first" })).data;
  equal(created.title, taskCreate.title);
  equal(created.completedAt, null);
  equal(created.createdAt instanceof Date, true);

  const one = { userId, taskId: created.id };
  equal((await tasks.listTasks({ userId })).meta.count, 1);
  equal((await tasks.listTasks({ userId, limit: 1 })).meta.nextCursor, null);
  equal((await tasks.getTask(one)).data, created);
  equal((await tasks.updateTask({ ...one, taskChange: { title: "Tea" } })).data.title, "Tea");
  equal((await tasks.completeTask(one)).data.completedAt instanceof Date, true);
  await tasks.deleteTask(one);
  equal((await problem(tasks.getTask(one))).code, "not-found");

  const refused = await problem(tasks.createTask({ userId, taskCreate: { title: "\n" } }));
  equal(refused.errors?.map((error) => error.field), ["title"]);
  await new AuthApi(configuration).logout();
  equal((await problem(tasks.listTasks({ userId }))).status, 401);
  console.log("all done");
}

main();
