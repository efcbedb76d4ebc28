// One real call and one refusal, by a client over the types that openapi-typescript made.

import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const client = createClient<paths>({
  baseUrl: process.env.CERTCTL_SERVER_URL,
  headers: { authorization: `Bearer ${process.env.CERTCTL_API_KEY}` },
});
const made = await client.POST("/api/v1/teams", { body: { id: "team-typescript", name: "TypeScript" } });
if (!made.data) throw new Error(made.error.detail);
const found = await client.GET("/api/v1/teams/{id}", { params: { path: { id: made.data.id } } });
if (found.data?.name !== "TypeScript") throw new Error(found.error?.detail);
const none = await client.GET("/api/v1/teams/{id}", { params: { path: { id: "team-none" } } });
if (none.error?.code !== "not_found") throw new Error("no problem document");
console.log("the client works");
