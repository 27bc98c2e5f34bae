// socket.io on Bun's own HTTP and WebSocket server.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { port, start, webPort } from "./job.mjs";

async function ask(path, headers) {
    const answer = await fetch(`http://127.0.0.1:${webPort}${path}`, { headers });
    return answer.json();
}

const io = new Server({ serveClient: false, cleanupEmptyChildNamespaces: true });
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
await start(io, ask);
Bun.serve({ ...engine.handler(), port, hostname: "127.0.0.1" });
console.log("up");
