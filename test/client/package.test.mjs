/* What is published: its size, its types, its package. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import * as client from "../../listener/web/usher.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const top = join(here, "../..");
const web = join(top, "listener/web");
const manifest = JSON.parse(readFileSync(join(web, "package.json")));

test("minified it has less than 6 KB", () => {
	const source = join(web, "usher.js");
	const minified = execFileSync("esbuild", ["--minify", "--format=esm", source]);
	assert.ok(minified.length > 3000, "it was minified, not lost");
	assert.ok(minified.length < 6 * 1024, `it has ${minified.length} bytes`);
});

test("minified it still works", async () => {
	const source = join(web, "usher.js");
	const minified = execFileSync("esbuild", ["--minify", "--format=esm", source]);
	const { connect, UsherError } = await import(
		`data:text/javascript;base64,${minified.toString("base64")}`
	);
	const { Server, WebSocket } = await import("./server.mjs");
	const server = await Server.start();
	const usher = connect(server.url, { token: "abc", WebSocket });
	try {
		const seen = [];
		const subscription = usher.subscribe("app_7", (data) => seen.push(data));
		await subscription.ready;
		await subscription.send({ a: 1 });
		assert.deepEqual(seen, [{ a: 1 }]);
		await assert.rejects(usher.send("app_8", 1), UsherError);
	} finally {
		usher.close();
		await server.stop();
	}
});

test("the declared types are those of the guide's examples", () => {
	const { status, stdout } = spawnSync(
		"tsc",
		["--noEmit", "--strict", "--target", "es2020", "--lib", "es2020,dom"].concat([
			"--module",
			"es2020",
			"--moduleResolution",
			"node",
			join(here, "usage.ts"),
		]),
		{ encoding: "utf8" },
	);
	assert.equal(stdout, "");
	assert.equal(status, 0);
});

test("all that is exported is declared, and nothing else", () => {
	const declared = readFileSync(join(web, "usher.d.ts"), "utf8");
	const names = [...declared.matchAll(/^export (?:class|function|const) (\w+)/gm)];
	assert.deepEqual(names.map(([, name]) => name).sort(), Object.keys(client).sort());
});

test("the package holds what it names, and is found by its name", (t) => {
	const named = [manifest.main, manifest.types, ...manifest.files];
	for (const name of named) assert.ok(existsSync(join(web, name)), name);
	const site = mkdtempSync(join(tmpdir(), "usher-"));
	t.after(() => rmSync(site, { recursive: true }));
	mkdirSync(join(site, "node_modules"));
	symlinkSync(web, join(site, "node_modules", manifest.name));
	const script = `import { connect } from "${manifest.name}"; console.log(typeof connect);`;
	const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
		cwd: site,
		encoding: "utf8",
	});
	assert.equal(said, "function\n");
});

test("the package has the version and the licence of the whole", () => {
	const meta = JSON.parse(readFileSync(join(top, "META.json")));
	assert.equal(manifest.version, meta.version);
	assert.equal(manifest.license.toLowerCase(), meta.license.toLowerCase());
	assert.equal(manifest.dependencies, undefined);
});
