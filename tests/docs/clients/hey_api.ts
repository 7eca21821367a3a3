// A life of an account through the client of @hey-api/openapi-ts, whose zod schemas read every body and answer.
import { client } from "./client/client.gen";
import {
  completeTask, createTask, deleteTask, getTask, listTasks, login, logout, signup, updateTask,
} from "./client/sdk.gen";
import { vCredentials, vTaskCreate } from "./client/valibot.gen";
import { zCredentials, zProblemAnswer, zTaskCreate, zTaskListAnswer } from "./client/zod.gen";
import { parse } from "valibot";
import { equal, serviceUrl, someAddress } from "./support";

async function main() {
  client.setConfig({ baseUrl: serviceUrl });
  const credentials = zCredentials.parse({ email: someAddress(), password: "correct horse battery" });
  equal(parse(vCredentials, credentials), credentials);
  equal((await signup({ body: credentials })).data?.data.email, credentials.email);
  const session = (await login({ body: credentials, throwOnError: true })).data.data;

  client.setConfig({ auth: session.access_token });
  const user = { user_id: session.user_id };
  for (const title of ["Água às 🌱", "שלום", "\u3000买牛奶", "milk\n", "a".repeat(500)]) {
    equal(zTaskCreate.parse({ title }), { title });
    equal(parse(vTaskCreate, { title }), { title });
    await createTask({ path: user, body: { title }, throwOnError: true });
  }
  for (const title of ["", " ", "\n", "a\u0000b", "a\nb", "a".repeat(501)]) {
    equal(zTaskCreate.safeParse({ title }).success, false);
    const { error } = await createTask({ path: user, body: { title } });
    equal(zProblemAnswer.parse(error).code, "validation-error");
  }

  const all = (await listTasks({ path: user, throwOnError: true })).data;
  equal(zTaskListAnswer.parse(all).meta.count, 5);
  const one = { path: { ...user, task_id: all.data[0].id } };
  equal((await getTask(one)).data?.data, all.data[0]);
  equal((await updateTask({ ...one, body: { is_completed: true } })).data?.data.is_completed, true);
  equal((await completeTask(one)).response?.status, 200);
  equal((await deleteTask(one)).response?.status, 204);
  equal((await getTask(one)).error?.code, "not-found");
  equal((await logout()).response?.status, 204);
  equal((await listTasks({ path: user })).error?.status, 401);
  console.log("all done");
}

main();
