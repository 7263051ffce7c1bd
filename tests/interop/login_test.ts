/**
 * The login page of nsqadmin in Chromium: it is accessible by axe-core's rules, as is the page behind it; and a page that stays up to
 * date goes to it when its user is logged out.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { axeSource } from "../support/axe.ts";
import { Chromium } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { deadAddress } from "../support/fake_http.ts";
import { interopTest } from "../support/interop.ts";
import { PASSWORD, usersOf } from "../support/login.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";

const USER = "anna.with-a-long.name@example.org";

interopTest(
  "Users log in with a browser, and are sent to the login when they are logged out",
  () => Chromium.start(),
  async (chromium) => {
    const axe = await axeSource();
    const options = { nsqdHttpAddresses: [deadAddress()], pollIntervalMs: 200 };
    await withNsqadmin(options, async (admin) => {
      const tab = await chromium.tab();
      const assertAccessible = async () => {
        await tab.evaluate(`${axe};0`);
        const found = await tab.evaluate(
          `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))`,
        );
        const isTooWide = await tab.evaluate(`document.documentElement.scrollWidth > innerWidth`);
        assertEquals({ found, isTooWide }, { found: [], isTooWide: false });
      };
      const submit = (password: string) =>
        tab.evaluate(`{
        document.querySelector("[name=user]").value = ${JSON.stringify(USER)};
        document.querySelector("[name=password]").value = ${JSON.stringify(password)};
        document.querySelector("form.login button").click();
      }`);
      const text = async () => String(await tab.evaluate("document.body?.textContent"));

      await tab.open(`${admin.url}/nodes?filter=x`);
      assertEquals(await tab.evaluate("location.pathname"), "/login");
      for (const width of [390, 1280]) {
        for (const scheme of ["light", "dark"] as const) {
          await tab.look({ width, scheme });
          await assertAccessible();
        }
      }
      await submit("wrong");
      await eventually("it is refused", async () => (await text()).includes("There is no such user, or"));
      await assertAccessible();
      await tab.look({ width: 390, scheme: "light" });
      await submit(PASSWORD);
      await eventually(
        "it goes on",
        async () => await tab.evaluate("location.href") === `${admin.url}/nodes?filter=x`,
      );
      assertStringIncludes(await text(), `${USER} (admin, peek)`);
      await assertAccessible();
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
