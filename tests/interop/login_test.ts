/**
 * The login page of nsqadmin in Chromium: it leads on to where somebody wanted to go, and a page that stays up to date goes to it when
 * its user is logged out.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Chromium } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest } from "../support/interop.ts";
import { PASSWORD, usersOf } from "../support/login.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const USER = "anna.with-a-long.name@example.org";

interopTest(
  "Users log in with a browser, and are sent to the login when they are logged out",
  () => Chromium.start(),
  async (chromium) => {
    const options = { nsqdHttpAddresses: [deadAddress()], pollIntervalMs: 200 };
    await withNsqadmin(options, async (admin) => {
      const tab = await chromium.tab();
      const submit = (password: string) =>
        tab.evaluate(`{
        document.querySelector("[name=user]").value = ${JSON.stringify(USER)};
        document.querySelector("[name=password]").value = ${JSON.stringify(password)};
        document.querySelector("form.login button").click();
      }`);
      const text = async () => String(await tab.evaluate("document.body?.textContent"));

      await tab.open(`${admin.url}/nodes?filter=x`);
      assertEquals(await tab.evaluate("location.pathname"), "/login");
      await submit("wrong");
      await eventually("it is refused", async () => (await text()).includes("There is no such user, or"));
      await submit(PASSWORD);
      await eventually(
        "it goes on",
        async () => await tab.evaluate("location.href") === `${admin.url}/nodes?filter=x`,
      );
      // The address is there before the page is.
      await eventually(
        "the page says who it is",
        async () => (await text()).includes(`${USER} (admin, peek)`),
      );
      await eventually("the page is told", () => admin.nsqadmin.events.isListened);
      assertEquals(tab.errors.filter((error) => !error.includes("401")), []);

      const isAt = async (target: string) =>
        await eventually(`it is at ${target}`, async () => {
          return await tab.evaluate("location.pathname + location.search") === target;
        });
      // As from another tab.
      const logOut = () => tab.evaluate(`fetch("/logout", { method: "POST" }).then(() => 0)`);
      await logOut();
      await isAt("/login?next=%2Fnodes%3Ffilter%3Dx");

      await submit(PASSWORD);
      await isAt("/nodes?filter=x");
      await tab.open(`${admin.url}/lookup`);
      await logOut();
      await tab.hit("k", { isCtrl: true });
      await tab.write("orders");
      await isAt("/login?next=%2Flookup");
    }, { users: usersOf({ [USER]: "admin,peek" }) });
  },
);
