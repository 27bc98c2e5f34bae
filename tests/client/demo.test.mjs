// The demo page in a real Chromium.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Demo, PATIENCE_MS } from "./support.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARTIFACTS = process.env.FRAPPE_RT_ARTIFACTS ?? fileURLToPath(new URL("../../build", import.meta.url));

/** A fresh browser profile: a person of their own. */
async function startBrowser(colorScheme) {
    const profile = await mkdtemp(path.join(tmpdir(), "profile-"));
    const browser = await chromium.launchPersistentContext(profile, {
        executablePath: CHROMIUM,
        headless: true,
        args: [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
        ],
        viewport: { width: 1280, height: 800 },
        colorScheme,
    });
    browser.profile = profile;
    browser.setDefaultTimeout(PATIENCE_MS);
    browser.complaints = [];
    browser.on("weberror", (error) => browser.complaints.push(String(error.error())));
    browser.on("console", (line) => line.type() === "error" && browser.complaints.push(line.text()));
    return browser;
}

async function closeBrowser(browser) {
    const profile = browser?.profile;
    await browser?.close();
    if (profile) await rm(profile, { recursive: true });
}

describe("demo", { timeout: 600_000 }, () => {
    let demo, light, dark, ada, grace;
    before(async () => {
        await mkdir(ARTIFACTS, { recursive: true });
        demo = await Demo.start();
        light = await startBrowser("light");
        dark = await startBrowser("dark");
        ada = await logIn(light, "ada@example.com");
        grace = await logIn(dark, "grace@example.com");
    });
    after(async () => {
        await closeBrowser(light);
        await closeBrowser(dark);
        await demo?.close();
    });

    async function logIn(browser, user) {
        const page = browser.pages()[0] ?? (await browser.newPage());
        await page.goto(demo.url);
        await page.click(`#people button[value="${user}"]`);
        await page.waitForSelector("#connection[data-state=connected]");
        return page;
    }

    const event = (name, text) => `#list li[data-event="${name}"]:has(pre:text("${text}"))`;
    const press = (page, action) => page.click(`[data-action=${action}]`);

    test("connection, transport and latency are shown", async () => {
        assert.equal(await ada.textContent("#site"), "demo.localhost");
        assert.equal(await ada.textContent("#transport"), "websocket");
        await ada.waitForFunction(() => /^\d+\.\d ms$/.test(document.getElementById("latency").textContent));
    });

    test("two people see each other as viewers", async () => {
        await ada.waitForSelector('#viewers [data-user="grace@example.com"]');
        await grace.waitForSelector('#viewers [data-user="ada@example.com"]');
        await grace.click("#toggle-doc");
        await ada.waitForSelector('#viewers [data-user="grace@example.com"]', { state: "detached" });
        await grace.click("#toggle-doc");
        await ada.waitForSelector('#viewers [data-user="grace@example.com"]');
    });

    test("events go where they should", async () => {
        await press(ada, "me");
        await press(ada, "everybody");
        await press(ada, "document");
        await press(ada, "list");
        for (const page of [ada, grace]) {
            await page.waitForSelector(event("note", "Ada says hello to everybody."));
            await page.waitForSelector(event("note", "Ada has changed it."));
            await page.waitForSelector(event("list_update", "TODO-0001"));
        }
        await ada.waitForSelector(event("note", "Only your tabs see this."));
        assert.equal(await grace.locator(event("note", "Only your tabs see this.")).count(), 0);
    });

    test("a message pops up", async () => {
        const toast = grace.waitForSelector('.toast:text("The import has been queued.")');
        await press(grace, "msgprint"); // seen from the beginning: it does not stay
        await toast;
    });

    test("the job's progress reaches 100 % in the dialog, which then closes", async () => {
        await ada.evaluate(() => { // its stages are noted in the page: they pass while we look elsewhere
            window.stages = [];
            const dialog = document.getElementById("progress");
            const text = (selector) => dialog.querySelector(selector).textContent;
            const note = () => dialog.open && window.stages.push([
                dialog.querySelector("[role=progressbar]").ariaValueNow,
                text("#progress-title"), text("#progress-percent"), text("#progress-text"),
            ]);
            new MutationObserver(note).observe(dialog, { attributes: true, childList: true, subtree: true });
        });
        await press(ada, "progress");
        await ada.waitForFunction(() => window.stages.at(-1)?.[0] >= 60);
        await ada.screenshot({ path: path.join(ARTIFACTS, "demo.png") });
        await grace.screenshot({ path: path.join(ARTIFACTS, "demo-dark.png") });
        await ada.waitForFunction(() => window.stages.at(-1)[0] === "100");
        await ada.waitForSelector("#progress", { state: "hidden" });
        const stages = await ada.evaluate(() => window.stages);
        assert.ok(stages.length > 10 && stages.every(([, title]) => title === "Importing customers"));
        assert.deepEqual(stages.at(-1).slice(2), ["100 %", "Row 1000 of 1000"]);
        assert.equal(await grace.locator('#list li[data-event="progress"]').count(), 0);
    });

    test("figures count", async () => {
        const figure = async (label) =>
            Number((await ada.textContent(`.figure:has(span:text-is("${label}")) b`)).replaceAll(",", ""));
        assert.equal(await figure("connections"), 2);
        assert.ok((await figure("rooms")) >= 6);
        assert.ok((await figure("deliveries")) > 50);
    });

    test("a second tab under the host's other name is somebody else", async () => {
        const [popup] = await Promise.all([light.waitForEvent("page"), ada.click("#other-window")]);
        await popup.waitForSelector("#connection[data-state=connected]");
        assert.match(popup.url(), /^http:\/\/localhost:/);
        assert.equal(await popup.inputValue("#switch"), "grace@example.com");
        await popup.waitForSelector('#viewers [data-user="ada@example.com"]');
        assert.equal(await ada.inputValue("#switch"), "ada@example.com");
        await popup.close();
    });

    test("switching the user logs in as somebody else", async () => {
        await grace.selectOption("#switch", "Guest");
        await grace.waitForSelector("#connection[data-state=connected]");
        await press(ada, "everybody");
        await press(ada, "website");
        await grace.waitForSelector(event("note", "to guests as well"));
        assert.equal(await grace.locator(event("note", "hello to everybody")).count(), 0);
        await ada.waitForSelector('#viewers [data-user="grace@example.com"]', { state: "detached" });
    });

    test("nothing was complained about", () => {
        assert.deepEqual([...light.complaints, ...dark.complaints], []);
    });
});
