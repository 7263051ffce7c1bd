/**
 * The login page of nsqadmin in Chromium: it leads on to where somebody wanted to go, and a page that stays up to date goes to it when
 * its user is logged out.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
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
        tab.leave(() =>
          tab.evaluate(`{
          document.querySelector("[name=user]").value = ${JSON.stringify(USER)};
          document.querySelector("[name=password]").value = ${JSON.stringify(password)};
          document.querySelector("form.login button").click();
        }`)
        );
      const assertSays = async (part: string) =>
        assertStringIncludes(String(await tab.evaluate("document.body.textContent")), part);
      const target = () => tab.evaluate("location.pathname + location.search");

      await tab.open(`${admin.url}/nodes?filter=x`);
      assertEquals(await tab.evaluate("location.pathname"), "/login");
      await submit("wrong");
      await assertSays("There is no such user, or");
      await submit(PASSWORD);
      assertEquals(await target(), "/nodes?filter=x");
      await assertSays(`${USER} (admin, peek)`);
      await eventually("the page is told", () => admin.nsqadmin.events.isListened);
      assertEquals(tab.errors.filter((error) => !error.includes("401")), []);

      const { activity } = admin.nsqadmin;
      // As from another tab: the page may be left before there is an answer.
      const logOut = async () => {
        await tab.evaluate(`void fetch("/logout", { method: "POST", keepalive: true })`);
        await eventually("it is done", () => activity.newestFirst[0].action === "log out");
      };
      await tab.leave(logOut);
      assertEquals(await target(), "/login?next=%2Fnodes%3Ffilter%3Dx");

      await submit(PASSWORD);
      assertEquals(await target(), "/nodes?filter=x");
      await tab.open(`${admin.url}/lookup`);
      await logOut();
      await tab.leave(async () => {
        await tab.hit("k", { isCtrl: true });
        await tab.write("orders");
      });
      assertEquals(await target(), "/login?next=%2Flookup");
    }, { users: usersOf({ [USER]: "admin,peek" }) });
  },
);
